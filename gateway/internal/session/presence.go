package session

import (
	"github.com/fliliy/chat/gateway/internal/event"
)

// A client that subscribes a room is told once who is online there, and then of each change. The subscription is live
// before anybody looks who is online, so that no change falls in between; those that come before the answer are held
// back and follow it. So a client that applies what it gets in the order in which it comes has the truth.

// maxHeld bounds what is held back for the moment that a look-up takes. Of more, the oldest are left out: the newer one
// of a user tells all.
const maxHeld = 256

// tellPresence asks who is online in a room that has just been subscribed.
func (s *session) tellPresence(sub *subscription, members []string) {
	s.mu.Lock()
	wanted := sub.awaited && !sub.over
	s.mu.Unlock()
	if wanted {
		s.deps.Where.Tell(sub.log.Room, s.user, members, sub.presence)
	}
}

// presence delivers who is online, and the changes that were held back.
func (sub *subscription) presence(e *event.Event) {
	sub.session.mu.Lock()
	defer sub.session.mu.Unlock()
	held := sub.held
	sub.awaited, sub.held = false, nil
	sub.deliver(e)
	for _, change := range held {
		sub.deliver(change)
	}
}

// holds says whether an event is held back. Call it under mu.
func (sub *subscription) holds(e *event.Event) bool {
	if !sub.awaited || e.Kind != event.UserStatus {
		return false
	}
	if len(sub.held) == maxHeld {
		sub.held = append(sub.held[:0], sub.held[1:]...)
	}
	sub.held = append(sub.held, e)
	return true
}
