package hub

import (
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/metrics"
)

// Deliver takes events of a log, as the fan-in gets them: in any order, late, double, with holes. It does not block.
// The hub keeps the slice's elements: the caller must not use them again.
func (h *Hub) Deliver(log event.Log, events []event.Event) {
	t := h.lookup(log)
	if t == nil {
		h.metrics.HubDropped.Add(metrics.DropUninterested, len(events))
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range events {
		h.accept(t, &events[i])
	}
	h.repairIfBehind(t, h.tuning.HoleGrace)
}

// Heads takes the digest of recently changed heads. What it names may still be in flight, so a log that is behind gets
// a grace before it is read.
func (h *Hub) Heads(heads []event.Head) {
	for _, head := range heads {
		h.noteHead(head, h.tuning.HeadsGrace)
	}
}

// accept puts one event in its place. The track is locked.
func (h *Hub) accept(t *track, e *event.Event) {
	o := &t.order
	switch {
	case !t.isFollowed():
		h.metrics.HubDropped.Inc(metrics.DropUninterested)
	case e.Seq <= 0:
		h.fanOut(t, e)
	case o.last != unknown && e.Seq <= o.last:
		h.metrics.HubDropped.Inc(metrics.DropOld)
	case o.last != unknown && e.Seq == o.last+1:
		h.advance(t, e)
		h.advanceHeld(t)
	default:
		if o.last != unknown && o.hold == nil {
			h.metrics.HubHoles.Inc()
		}
		if !o.keep(e, h.tuning.Hold) {
			h.metrics.HubDropped.Inc(metrics.DropHoldFull)
		}
	}
}

// advanceHeld delivers held events as long as the next one is there.
func (h *Hub) advanceHeld(t *track) {
	for e := t.order.takeNext(); e != nil; e = t.order.takeNext() {
		h.advance(t, e)
	}
}

// advance delivers the next event.
func (h *Hub) advance(t *track, e *event.Event) {
	t.order.move(e.Seq)
	h.remember(t, e)
	h.fanOut(t, e)
}

// fanOut hands an event to every live subscription it is for.
func (h *Hub) fanOut(t *track, e *event.Event) {
	for _, s := range t.roster.live {
		if e.Seq > s.from || e.Seq <= 0 {
			s.sink.Deliver(e)
		}
	}
	if e.Ends {
		h.evict(t, e)
	}
}

// noteHead takes a log's newest seq, and has it repaired after the grace if it is behind then.
func (h *Hub) noteHead(head event.Head, grace time.Duration) {
	t := h.lookup(head.Log)
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.isFollowed() {
		return
	}
	t.order.noteHead(head.Seq)
	h.repairIfBehind(t, grace)
}
