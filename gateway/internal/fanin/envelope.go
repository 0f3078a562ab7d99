package fanin

import (
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
	var envelope chatv1.Envelope
	if err := proto.Unmarshal(m.Data, &envelope); err != nil {
		f.options.Metrics.FaninBad.Inc()
		return
	}
	log := event.Log{Room: envelope.GetLog().GetChatRoomId(), User: envelope.GetLog().GetUserId()}
	copied := in.log.User != "" && log.Room > 0
	if log != in.log && !copied {
		f.options.Metrics.FaninBad.Inc()
		return
	}
	events, err := newEvents(in.destination, envelope.GetEvents())
	if err != nil {
		f.options.Metrics.FaninBad.Inc()
		return
	}
	if copied {
		hub.DeliverCopy(in.log.User, log.Room, events)
		return
	}
	hub.Deliver(log, events)
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

// newEvents makes the events of an envelope, all or none.
func newEvents(destination string, wire []*chatv1.Event) ([]event.Event, error) {
	if len(wire) == 0 {
		return nil, errors.New("the envelope is empty")
	}
	events := make([]event.Event, len(wire))
	last := int64(0)
	for i, w := range wire {
		if w.GetSeq() < 0 || (w.GetSeq() > 0 && w.GetSeq() <= last) {
			return nil, fmt.Errorf("seq %d after %d", w.GetSeq(), last)
		}
		last = max(last, w.GetSeq())
		e, err := newEvent(destination, w)
		if err != nil {
			return nil, err
		}
		events[i] = e
	}
	return events, nil
}

// newEvent makes one event, if it is fit to be sent.
func newEvent(destination string, w *chatv1.Event) (event.Event, error) {
	if w.GetMessageId() == "" || strings.ContainsFunc(w.GetMessageId(), unicode.IsControl) {
		return event.Event{}, errors.New("the message id is empty or has control characters")
	}
	if len(w.GetJson()) == 0 {
		return event.Event{}, errors.New("the event has no JSON")
	}
	e := wire.Event(destination, w)
	if e.Kind == "" || strings.ContainsFunc(string(e.Kind), unicode.IsControl) {
		return event.Event{}, errors.New("the event has no kind")
	}
	return e, nil
}
