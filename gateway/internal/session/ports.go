package session

import (
	"context"
	"time"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/destination"
	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/principal"
	"github.com/fliliy/chat/gateway/internal/transport"
)

// Conn is the transport pipe under a session. One goroutine reads, one at a time writes; Close may come from any.
type Conn interface {
	// Read returns the next bytes of the client, valid until the next call. It ends with a *transport.ClosedError
	// after a close, or with what else broke the pipe.
	Read(ctx context.Context) ([]byte, error)
	// Write sends each element as one transport message, all in as few system calls as possible. It returns once
	// the kernel has them; the elements may then be used again.
	Write(ctx context.Context, messages [][]byte) error
	// Close flushes nothing: it sends the close code and reason, waits a moment for the peer, and ends Read and
	// Write. The second and later calls do nothing.
	Close(code transport.CloseCode, reason string) error
}

// Waiter is a Conn whose reader need not be a goroutine while nothing comes: most clients are silent most of the time.
type Waiter interface {
	Conn
	// CanAwait says whether this one can; else it is used like any Conn.
	CanAwait() bool
	// Poll is Read that does not wait, and returns nothing at all where nothing has come. Told to wait, it waits for
	// something to come, which may be nothing of a message.
	Poll(wait bool) ([]byte, error)
	// Await returns at once, and has next called in a goroutine of its own when Poll may have something to tell, or the
	// end.
	Await(next func())
}

// Yielder is a Conn whose writer need not be a goroutine of its own, because it learns when it has to wait.
type Yielder interface {
	Conn
	// CanYield says whether this one does; else it is used like any Conn.
	CanYield() bool
	// WriteYielding is Write that calls waits, at least once, before it waits for the client to take what is sent.
	WriteYielding(messages [][]byte, waits func()) error
}

// Authenticator tells what a token says, if it is good. Errors are *event.Error.
type Authenticator interface {
	Verify(ctx context.Context, token string) (principal.Principal, error)
	// Check tells whether what a token said still holds: whether it was revoked since.
	Check(ctx context.Context, who principal.Principal) error
}

// Tickets tells what the token of a one-time ticket says, and uses the ticket up. Errors are *event.Error.
type Tickets interface {
	Redeem(ctx context.Context, ticket string) (principal.Principal, error)
}

// Destinations understands what clients write into the header destination. Errors are for the client to read.
type Destinations interface {
	ParseSend(name string) (destination.Destination, error)
	ParseSubscribe(name string) (destination.Destination, error)
}

// Hub is where subscriptions live.
type Hub interface {
	// Subscribe checks access and joins a log; it returns when the subscription is live: every event after the
	// snapshot reaches the sink. lastSeq < 0 is "from now on". Errors: *event.Error FORBIDDEN, UNAVAILABLE.
	Subscribe(
		ctx context.Context, user string, log event.Log, lastSeq int64, sink event.Sink,
	) (event.Joined, error)
	// Unsubscribe leaves: once it has returned, the sink gets nothing more. Unknown pairs are ignored.
	Unsubscribe(log event.Log, sink event.Sink)
}

// Relay carries actions to the chat service.
type Relay interface {
	// Submit hands over the actions of one SEND, or of one transaction (all or none), and returns at once. Sends to
	// one room are stored in the order of the calls. done is called once, from any goroutine, with one Stored per
	// action or an error (*event.Error), and must not block.
	Submit(user string, actions []action.Action, done func([]action.Stored, error))
}

// Presence keeps who is online, and in which room. Its methods return at once and cannot fail: presence is soft
// state, and no session waits for it.
type Presence interface {
	Connect(session, user string)
	Disconnect(session, user string)
	Enter(session, user string, room int64)
	Leave(session, user string, room int64)
	SetStatus(session, user, status string)
}

// Door is where a client gets in from one place. The reader of the session is its only caller.
type Door interface {
	// Guesses says why no token may be shown: too many from this place were bad. Nil: it may.
	Guesses() *event.Error
	// Guessed notes a bad token.
	Guessed()
	// Enter lets a user's session in, once its CONNECT has proved who it is, or says why not.
	Enter(user string) (Allowance, *event.Error)
}

// Allowance is how often a session may send and subscribe. The reader of the session is its only caller, but for the
// methods that any goroutine may call, after Leave too.
type Allowance interface {
	// Send and Subscribe take one, or say why not and when to try again.
	Send() *event.Error
	Subscribe() *event.Error
	// Abusive notes that something was refused, and says whether the session goes on and on.
	Abusive() bool
	// Room takes a message of its room's rate; or it takes none, and says how long the room has to wait.
	Room(room int64) time.Duration
	// RoomBack gives back what Room took for a message that was not stored. Any goroutine may call it.
	RoomBack(room int64)
	// RoomRefused counts a message that was refused because its room has to wait. Any goroutine may call it.
	RoomRefused()
	// Leave is called once, last.
	Leave()
}

// Whereabouts tells who is online in a room.
type Whereabouts interface {
	// Tell makes the room's PRESENCE event, of who is online after the call began, and returns at once. The user, who
	// has just joined the room, is among them; members is nil in a large room. done is called once, within a moment,
	// from any goroutine and perhaps before Tell returns, and must not block.
	Tell(room int64, user string, members []string, done func(*event.Event))
}
