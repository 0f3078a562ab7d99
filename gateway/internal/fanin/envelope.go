package fanin

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"github.com/fliliy/chat/gateway/internal/event"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

const kindPrefix = "EVENT_KIND_"

// kinds are the event headers of the kinds known when this was built.
var kinds = func() map[chatv1.EventKind]event.Kind {
	known := make(map[chatv1.EventKind]event.Kind)
	for number, name := range chatv1.EventKind_name {
		if number != int32(chatv1.EventKind_EVENT_KIND_UNSPECIFIED) {
			known[chatv1.EventKind(number)] = event.Kind(strings.TrimPrefix(name, kindPrefix))
		}
	}
	return known
}()

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

func newEvent(destination string, w *chatv1.Event) (event.Event, error) {
	if w.GetMessageId() == "" || strings.ContainsFunc(w.GetMessageId(), unicode.IsControl) {
		return event.Event{}, errors.New("the message id is empty or has control characters")
	}
	if len(w.GetJson()) == 0 {
		return event.Event{}, errors.New("the event has no JSON")
	}
	kind, err := kindOf(w)
	if err != nil {
		return event.Event{}, err
	}
	e := event.New(destination, kind, w.GetSeq(), w.GetMessageId(), w.GetJson())
	e.User = w.GetUserId()
	change := w.GetMemberChange()
	e.Ends = kind == event.Member &&
		(change == chatv1.MemberChange_MEMBER_CHANGE_LEFT || change == chatv1.MemberChange_MEMBER_CHANGE_REMOVED)
	return e, nil
}

// kindOf names the event's kind. One that a newer chat service has added passes under the name in its JSON.
func kindOf(w *chatv1.Event) (event.Kind, error) {
	if kind, ok := kinds[w.GetKind()]; ok {
		return kind, nil
	}
	var body struct {
		Event string `json:"event"`
	}
	if err := json.Unmarshal(w.GetJson(), &body); err != nil {
		return "", fmt.Errorf("read JSON of unknown kind: %w", err)
	}
	if body.Event == "" || strings.ContainsFunc(body.Event, unicode.IsControl) {
		return "", errors.New("the event has no kind")
	}
	return event.Kind(body.Event), nil
}
