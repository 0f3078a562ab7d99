package fanin

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/wire"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// take decodes one message, once for all of the node, and delivers it. What cannot be read, or is not of the log whose
// subject it came on, is counted and dropped: if it was an event of a log, the hole it leaves will be repaired.
func (f *Fanin) take(l *lane, m *nats.Msg, hub Hub) {
	in := l.get(m.Subject)
	if in == nil {
		return // given up while this was on its way
	}
	f.options.Metrics.FaninEnvelopes.Inc()
	e := &l.envelope
	if err := e.decode(m.Data); err != nil || len(e.events) == 0 {
		f.options.Metrics.FaninBad.Inc()
		return
	}
	copied := in.log.User != "" && e.room > 0
	if !copied && (e.room != in.log.Room || string(e.user) != in.log.User) {
		f.options.Metrics.FaninBad.Inc()
		return
	}
	if copied && hub.Covered(in.log.User, e.room, e.newest(), len(e.events)) {
		return
	}
	events, err := newEvents(in.destination, e.events)
	if err != nil {
		f.options.Metrics.FaninBad.Inc()
		return
	}
	if copied {
		hub.DeliverCopy(in.log.User, e.room, events)
		return
	}
	hub.Deliver(in.log, events)
}

// takeHeads delivers a digest.
func (f *Fanin) takeHeads(m *nats.Msg, hub Hub) {
	f.options.Metrics.FaninEnvelopes.Inc()
	var digest chatv1.Heads
	if err := proto.Unmarshal(m.Data, &digest); err != nil {
		f.options.Metrics.FaninBad.Inc()
		return
	}
	heads := make([]event.Head, 0, len(digest.GetHeads()))
	for _, h := range digest.GetHeads() {
		log := event.Log{Room: h.GetLog().GetChatRoomId(), User: h.GetLog().GetUserId()}
		heads = append(heads, event.Head{Log: log, Seq: h.GetSeq()})
	}
	hub.Heads(heads)
}

// newEvents makes the events of an envelope, all or none. They refer to its bytes.
func newEvents(destination string, entries []entry) ([]event.Event, error) {
	events := make([]event.Event, len(entries))
	last := int64(0)
	for i := range entries {
		seq := entries[i].seq
		if seq < 0 || (seq > 0 && seq <= last) {
			return nil, fmt.Errorf("seq %d after %d", seq, last)
		}
		last = max(last, seq)
		e, err := newEvent(destination, &entries[i])
		if err != nil {
			return nil, err
		}
		events[i] = e
	}
	return events, nil
}

// newEvent makes one event, if it is fit to be sent.
func newEvent(destination string, from *entry) (event.Event, error) {
	if len(from.messageID) == 0 || bytes.ContainsFunc(from.messageID, unicode.IsControl) {
		return event.Event{}, errors.New("the message id is empty or has control characters")
	}
	if len(from.json) == 0 {
		return event.Event{}, errors.New("the event has no JSON")
	}
	e := wire.Event(destination, &chatv1.Event{
		Seq: from.seq, Kind: from.kind, MessageId: string(from.messageID), UserId: string(from.userID),
		MemberChange: from.change, Json: from.json,
	})
	if e.Kind == "" || strings.ContainsFunc(string(e.Kind), unicode.IsControl) {
		return event.Event{}, errors.New("the event has no kind")
	}
	return e, nil
}
