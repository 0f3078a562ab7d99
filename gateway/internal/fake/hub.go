package fake

import (
	"context"
	"slices"
	"sync"

	"github.com/fliliy/chat/gateway/internal/event"
)

// Hub keeps subscriptions and delivers what the test publishes. Fields may be set before its first use.
type Hub struct {
	// Refuse decides who may subscribe; nil, or no error, is everybody.
	Refuse func(user string, log event.Log) error
	// Gate, if not nil, holds every Subscribe until it is closed or something is received from it, or ctx ends.
	Gate chan struct{}
	// Members are told to everybody who joins.
	Members []string

	mu       sync.Mutex // held while sinks are called, as the port says
	logs     map[event.Log][]event.Event
	joined   map[event.Log][]member
	lastSeqs []int64
}

type member struct {
	user string
	sink event.Sink
}

// Subscribe implements session.Hub. Events published before are replayed when lastSeq asks for them, and it returns
// once the sink has taken them.
func (h *Hub) Subscribe(
	ctx context.Context, user string, log event.Log, lastSeq int64, sink event.Sink,
) (event.Joined, error) {
	if h.Gate != nil {
		select {
		case <-h.Gate:
		case <-ctx.Done():
			return event.Joined{}, ctx.Err()
		}
	}
	if h.Refuse != nil {
		if err := h.Refuse(user, log); err != nil {
			return event.Joined{}, err
		}
	}
	joined := h.join(user, log, lastSeq, sink)
	sink.Await(ctx)
	return joined, nil
}

func (h *Hub) join(user string, log event.Log, lastSeq int64, sink event.Sink) event.Joined {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.joined == nil {
		h.joined = make(map[event.Log][]member)
	}
	h.joined[log] = append(h.joined[log], member{user, sink})
	h.lastSeqs = append(h.lastSeqs, lastSeq)
	for i, e := range h.logs[log] {
		if lastSeq >= 0 && e.Seq > lastSeq {
			sink.Deliver(&h.logs[log][i])
		}
	}
	joined := event.Joined{Members: h.Members}
	if n := len(h.logs[log]); n > 0 {
		joined.Seq = h.logs[log][n-1].Seq
	}
	return joined
}

// Unsubscribe implements session.Hub.
func (h *Hub) Unsubscribe(log event.Log, sink event.Sink) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.joined[log]) == 0 {
		return
	}
	h.joined[log] = slices.DeleteFunc(h.joined[log], func(m member) bool { return m.sink == sink })
}

// Publish delivers events to a log's subscriptions and keeps those with a seq for replays.
func (h *Hub) Publish(log event.Log, events ...event.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.logs == nil {
		h.logs = make(map[event.Log][]event.Event)
	}
	for i := range events {
		if events[i].Seq > 0 {
			h.logs[log] = append(h.logs[log], events[i])
		}
		for _, m := range h.joined[log] {
			m.sink.Deliver(&events[i])
		}
	}
}

// Deliver passes one event on to a log's subscriptions, allocating nothing.
func (h *Hub) Deliver(log event.Log, e *event.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.joined[log] {
		m.sink.Deliver(e)
	}
}

// Evict ends a user's subscriptions to a log.
func (h *Hub) Evict(log event.Log, user string, cause *event.Error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.joined[log]) == 0 {
		return
	}
	h.joined[log] = slices.DeleteFunc(h.joined[log], func(m member) bool {
		if m.user != user {
			return false
		}
		m.sink.End(cause)
		return true
	})
}

// Subscriptions is how many there are, of all logs.
func (h *Hub) Subscriptions() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, members := range h.joined {
		n += len(members)
	}
	return n
}

// Sinks are those of a log, in the order in which they came.
func (h *Hub) Sinks(log event.Log) []event.Sink {
	h.mu.Lock()
	defer h.mu.Unlock()
	var sinks []event.Sink
	for _, m := range h.joined[log] {
		sinks = append(sinks, m.sink)
	}
	return sinks
}

// LastSeqs are the lastSeq of all subscriptions ever made, in order.
func (h *Hub) LastSeqs() []int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.lastSeqs)
}
