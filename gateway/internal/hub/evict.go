package hub

import (
	"errors"

	"github.com/fliliy/chat/gateway/internal/event"
)

// errLeft is why a join ends that was unsubscribed meanwhile.
var errLeft = errors.New("unsubscribed before the subscription was live")

// Unsubscribe leaves: once it has returned, the sink gets nothing more. A pair that is unknown is ignored. A Subscribe
// that is still joining returns an error; one that has not begun yet is not seen, so a caller that lets the two race
// ends Subscribe's context first.
func (h *Hub) Unsubscribe(log event.Log, sink event.Sink) {
	t := h.lookup(log)
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.roster.find(sink); s != nil {
		h.remove(t, s)
		if s.leave != nil {
			s.leave(errLeft)
		}
	}
}

// drop removes a subscription unless it is gone already.
func (h *Hub) drop(t *track, s *subscription) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !s.gone {
		h.remove(t, s)
	}
}

// remove takes a subscription out, with what hangs on it. The track is locked.
func (h *Hub) remove(t *track, s *subscription) {
	t.roster.remove(s)
	if s.live && t.log.Room > 0 {
		h.follows.remove(s.session, t.log.Room)
	}
	linger := h.tuning.Linger
	if t.roster.size() == 0 && t.order.last == unknown {
		linger = 0 // nobody was ever allowed in: there is nothing to come back to
		h.reset(t)
	}
	h.release(t, linger)
}

// evict ends the live subscriptions of the user who lost access with the event, which they have just been given.
// Subscriptions allowed by a later state of the log stay. Those that are joining meet the event before they go live.
func (h *Hub) evict(t *track, e *event.Event) {
	for i := len(t.roster.live) - 1; i >= 0; i-- {
		s := t.roster.live[i]
		if s.user == e.User && (e.Seq > s.checked || e.Seq <= 0) {
			h.remove(t, s)
			s.sink.End(lostAccess(t.log))
		}
		if len(t.roster.live) == 0 {
			return
		}
	}
}

func lostAccess(log event.Log) *event.Error {
	return &event.Error{
		Code:    event.Forbidden,
		Message: "you are no longer a member: the subscription to " + log.Destination() + " has ended",
	}
}
