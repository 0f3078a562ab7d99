package publish

import (
	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/metrics"
	"github.com/fliliy/chat/chatsvc/internal/wire"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
	"github.com/fliliy/chat/proto/subject"
)

// maxEnvelope is about the size, in bytes, that an envelope may have: half of what NATS takes by default. One event is
// always less than half of it: title and content of a notification, 16 KiB each, grow to at most 192 KiB in JSON.
const maxEnvelope = 512 << 10

// eventOverhead is at least what an event adds to an envelope besides its JSON and its ids.
const eventOverhead = 48

// desk turns events into envelopes and hands them to NATS. It is for one goroutine.
type desk struct {
	conn         *nats.Conn
	dropped      *prometheus.CounterVec
	sent, copies prometheus.Counter
	places       map[chat.LogRef]int // of a log in groups; empty between calls
	groups       []group             // empty between calls
}

// group is what one call says about one log.
type group struct {
	log    chat.LogRef
	events []*chatv1.Event
}

func newDesk(conn *nats.Conn, m metrics.Post) *desk {
	return &desk{
		conn: conn, dropped: m.Dropped,
		sent: m.Sent.WithLabelValues("envelope"), copies: m.Sent.WithLabelValues("copy"),
		places: make(map[chat.LogRef]int),
	}
}

// post publishes one envelope per log, in parts where it would be too large, and its live copies; of what is private,
// only these.
func (d *desk) post(events []chat.Event, audience map[int64][]string) {
	for i, e := range wire.Events(events) {
		if events[i].Private {
			d.copyReads(events[i].Log, []*chatv1.Event{e})
			continue
		}
		place, known := d.places[events[i].Log]
		if !known {
			place = len(d.groups)
			d.places[events[i].Log] = place
			d.groups = append(d.groups, group{log: events[i].Log})
		}
		d.groups[place].events = append(d.groups[place].events, e)
	}
	for i := range d.groups {
		g := &d.groups[i]
		for start := 0; start < len(g.events); {
			end := partEnd(g.events, start)
			d.postPart(g.log, g.events[start:end], audience[g.log.Room])
			start = end
		}
	}
	clear(d.places)
	clear(d.groups) // lets go of the events
	d.groups = d.groups[:0]
}

// partEnd returns where the part of events that begins at start ends: it has at least one event.
func partEnd(events []*chatv1.Event, start int) int {
	size := 0
	for i := start; i < len(events); i++ {
		e := events[i]
		size += eventOverhead + len(e.GetJson()) + len(e.GetMessageId()) + len(e.GetUserId())
		if size > maxEnvelope && i > start {
			return i
		}
	}
	return len(events)
}

func (d *desk) postPart(log chat.LogRef, events []*chatv1.Event, members []string) {
	data, ok := d.seal(log, events)
	if !ok {
		return
	}
	name := subject.User(log.User)
	if log.Room > 0 {
		name = subject.Room(log.Room)
	}
	d.send(name, data, d.sent, len(events))
	d.copyReads(log, events)
	if len(members) == 0 {
		return
	}
	messages := onlyMessages(events)
	if len(messages) == 0 {
		return
	}
	if len(messages) < len(events) {
		if data, ok = d.seal(log, messages); !ok {
			return
		}
	}
	for _, member := range members {
		d.send(subject.User(member), data, d.copies, len(messages))
	}
}

// copyReads tells readers' own sessions, also those that have not subscribed the room, how far they have read: one
// device reads, and the others know.
func (d *desk) copyReads(log chat.LogRef, events []*chatv1.Event) {
	for i, e := range events {
		if e.GetKind() != chatv1.EventKind_EVENT_KIND_READ {
			continue
		}
		if data, ok := d.seal(log, events[i:i+1]); ok {
			d.send(subject.User(e.GetUserId()), data, d.copies, 1)
		}
	}
}

func (d *desk) seal(log chat.LogRef, events []*chatv1.Event) ([]byte, bool) {
	data, err := proto.Marshal(&chatv1.Envelope{Log: wire.Log(log), Events: events})
	if err != nil {
		d.dropped.WithLabelValues("encode").Add(float64(len(events)))
		return nil, false
	}
	return data, true
}

func (d *desk) send(name string, data []byte, sent prometheus.Counter, events int) {
	if err := d.conn.Publish(name, data); err != nil {
		d.dropped.WithLabelValues(reasonOf(err)).Add(float64(events))
		return
	}
	sent.Inc()
}

// onlyMessages returns the events without those that are no messages: live copies are of messages only.
func onlyMessages(events []*chatv1.Event) []*chatv1.Event {
	others := 0
	for _, e := range events {
		if e.GetKind() != chatv1.EventKind_EVENT_KIND_MESSAGE {
			others++
		}
	}
	if others == 0 {
		return events
	}
	messages := make([]*chatv1.Event, 0, len(events)-others)
	for _, e := range events {
		if e.GetKind() == chatv1.EventKind_EVENT_KIND_MESSAGE {
			messages = append(messages, e)
		}
	}
	return messages
}
