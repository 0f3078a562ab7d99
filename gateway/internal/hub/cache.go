package hub

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/fliliy/chat/gateway/internal/event"
)

// Kinds after which what the chat service tells of older events is no longer what was delivered.
const (
	edited   event.Kind = "EDITED"
	recalled event.Kind = "RECALLED"
)

// eventCost is about what an event costs in memory besides its frame.
const eventCost = 256

func costOf(e *event.Event) int { return e.Frame.Len() + eventCost }

// budget bounds the bytes that all logs of a hub keep for one purpose.
type budget struct {
	limit int64
	used  atomic.Int64
}

// take accounts for bytes; it says false, and does not, when there is no room for them.
func (b *budget) take(n int) bool {
	if b.used.Add(int64(n)) > b.limit {
		b.used.Add(-int64(n))
		return false
	}
	return true
}

func (b *budget) give(n int) { b.used.Add(-int64(n)) }

// cache is what the logs' memories share: their budget, and who has to go when it is used up.
type cache struct {
	budget
	round atomic.Int64  // how often the budget was used up: memories of earlier rounds go first
	full  chan struct{} // holds one when the budget is used up
}

// memory holds the newest delivered events of a log, without gap up to its position: for subscriptions that resume,
// and for what those that are joining need between their snapshot and going live. It may be empty at any time; the
// chat service has everything. The track's lock guards it.
type memory struct {
	events []event.Event
	bytes  int
	round  int64 // of its last use
}

// remember keeps a delivered event, at most Tuning.Recent of a log. An edit makes what is kept of older events stale.
// The track is locked.
func (h *Hub) remember(t *track, e *event.Event) {
	m := &t.order.memory
	if e.Kind == edited || e.Kind == recalled {
		h.forget(m, len(m.events))
	}
	if len(m.events) >= h.tuning.Recent {
		h.forget(m, len(m.events)-h.tuning.Recent/2) // half at once, so that moving the rest costs little per event
	}
	cost := costOf(e)
	if !h.cache.take(cost) {
		h.forget(m, len(m.events))
		select {
		case h.cache.full <- struct{}{}:
		default:
		}
		return
	}
	m.events = append(m.events, *e) // a copy: the slice it came in may be large
	m.bytes += cost
	m.round = h.cache.round.Load()
}

// forget drops the oldest n events. The track is locked.
func (h *Hub) forget(m *memory, n int) {
	if n == len(m.events) {
		h.cache.give(m.bytes)
		*m = memory{}
		return
	}
	freed := 0
	for i := range m.events[:n] {
		freed += costOf(&m.events[i])
	}
	h.cache.give(freed)
	m.bytes -= freed
	m.events = slices.Delete(m.events, 0, n)
}

// since returns the delivered events after a seq up to the log's position; false when not all of them are kept. The
// track is locked.
func (o *order) since(seq int64) ([]event.Event, bool) {
	switch {
	case o.last == unknown || seq > o.last:
		return nil, false
	case seq == o.last:
		return nil, true
	case len(o.memory.events) == 0 || seq+1 < o.memory.events[0].Seq:
		return nil, false
	}
	return slices.Clone(o.memory.events[seq+1-o.memory.events[0].Seq:]), true // sinks keep what they are given
}

// remembers says whether a subscription that resumes after a seq can be served from memory.
func (h *Hub) remembers(t *track, seq int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := &t.order
	t.order.memory.round = h.cache.round.Load()
	return o.last != unknown && (seq == o.last ||
		seq < o.last && len(o.memory.events) > 0 && seq+1 >= o.memory.events[0].Seq)
}

// sweepLoop makes room when the memories have used up their budget.
func (h *Hub) sweepLoop(ctx context.Context) {
	for {
		select {
		case <-h.cache.full:
			h.sweep()
		case <-ctx.Done():
			return
		}
	}
}

// sweep empties memories until a quarter of the budget is free: first those not used since it was last used up.
func (h *Hub) sweep() {
	now := h.cache.round.Add(1)
	tracks := h.allTracks()
	for _, younger := range []int64{now - 1, now + 1} {
		for _, t := range tracks {
			if h.cache.used.Load() <= h.cache.limit/4*3 {
				return
			}
			t.mu.Lock()
			if m := &t.order.memory; m.round < younger {
				h.forget(m, len(m.events))
			}
			t.mu.Unlock()
		}
	}
}

// allTracks returns the tracks of all logs.
func (h *Hub) allTracks() []*track {
	var all []*track
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.RLock()
		for _, t := range s.tracks {
			all = append(all, t)
		}
		s.mu.RUnlock()
	}
	return all
}
