// Package event is what the gateway knows of an event on its way to clients, in plain Go: fanin and relay make events
// from the wire, the hub puts them in order, sessions send them. It knows no protobuf and holds no rule.
package event

import (
	"context"
	"strconv"

	"github.com/fliliy/chat/gateway/internal/stomp"
)

// Log names a log: a room's (Room > 0), or a user's inbox (User). It is a map key.
type Log struct {
	Room int64
	User string
}

// Destination is what clients subscribe to follow the log.
func (l Log) Destination() string {
	if l.Room > 0 {
		return "/topic/chat/" + strconv.FormatInt(l.Room, 10)
	}
	return InboxDestination
}

// Destinations of the user queues.
const (
	InboxDestination  = "/user/queue/messages"
	ErrorsDestination = "/user/queue/errors"
)

// Head is a log's newest seq.
type Head struct {
	Log Log
	Seq int64
}

// Kind is what an event says happened; it stands in its "event" header.
type Kind string

// The kinds that the gateway itself looks at or makes. Others pass through as they are.
const (
	Message  Kind = "MESSAGE"
	Member   Kind = "MEMBER"
	Gap      Kind = "GAP"
	Presence Kind = "PRESENCE"
	Failure  Kind = "ERROR"
	Drain    Kind = "DRAIN"
)

// The kinds of state events that are sent as they happen and never again.
const (
	Typing     Kind = "TYPING"
	Read       Kind = "READ"
	Delivered  Kind = "DELIVERED"
	UserStatus Kind = "USER_STATUS"
)

// IsState says whether events of the kind are state that is only true for a moment: nobody can rely on getting each.
func (k Kind) IsState() bool {
	return k == Typing || k == Read || k == Delivered || k == UserStatus
}

// Event is one event of a log (Seq > 0), or a live-only state event (Seq 0). It is immutable once made.
type Event struct {
	Seq       int64
	Kind      Kind
	MessageID string
	User      string // whom it is about
	Ends      bool   // User is not a member any more: her subscriptions to the log end with this event
	Frame     *stomp.Prepared
}

// New makes an event and its MESSAGE frame: encoded here once, completed per subscription when it is sent.
// The JSON is kept, not copied.
func New(destination string, kind Kind, seq int64, messageID string, json []byte) Event {
	header := stomp.Header{
		{Key: "destination", Value: destination},
		{Key: "message-id", Value: messageID},
		{Key: "content-type", Value: "application/json"},
		{Key: "event", Value: string(kind)},
	}
	if seq > 0 {
		header = append(header, stomp.Field{Key: "seq", Value: strconv.FormatInt(seq, 10)})
	}
	return Event{Seq: seq, Kind: kind, MessageID: messageID, Frame: stomp.NewPrepared(header, json)}
}

// Snapshot is the state of a log at the moment a subscription was allowed.
type Snapshot struct {
	Head   int64
	Events []Event // after the seq asked for, in order; empty without one
	// GapFrom and GapTo are the first and last seq that were missed and are not in Events; 0 without a gap.
	GapFrom, GapTo int64
	// Members are those of a small room, the subscriber among them; nil in a large one.
	Members []string
	// Hidden is what the log has and the subscriber must not see, in order: nothing of it is in Events.
	Hidden []Span
}

// Span is a stretch of a log, both ends included.
type Span struct{ First, Last int64 }

// Joined is where a subscription stands when it becomes live.
type Joined struct {
	Seq     int64    // everything up to it was delivered, or was not asked for: a resume goes on from here; -1: there is no resume
	Members []string // as in Snapshot
}

// Sink is one subscription of a session, where the hub puts events. The hub calls it under a lock of its own: no
// method but Await may block or call the hub.
type Sink interface {
	// Session names the session the subscription belongs to, the same string on every call: the hub sends no live
	// copy of a room's events to the inbox of a session that has subscribed the room itself.
	Session() string
	// Deliver queues an event for the client. Events come in order of seq, without holes and doubles. A sink that
	// cannot take it ends its session by itself. Live copies, on an inbox, carry the seq of their room's log and stand
	// outside the inbox's own order. The event is kept as long as the sink likes, and never changed.
	Deliver(e *Event)
	// Await returns once the client has been sent what was delivered before Subscribe returned, when its session is
	// over, or when the context ends: the pages of a long replay wait for each other. It is the one method that blocks,
	// and is not called under a lock.
	Await(ctx context.Context)
	// End says that the subscription is over because its user lost access; nothing is delivered after it.
	End(cause *Error)
}

// Acknowledger is a Sink that says whether its client acknowledges what it gets. A plain broker keeps such messages
// until they are settled.
type Acknowledger interface {
	Sink
	Acknowledges() bool
}
