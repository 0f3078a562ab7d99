package limit

import (
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
)

// Session is what one session may do. One goroutine at a time may call its methods, but for those about rooms.
type Session struct {
	limits        *Limits
	user, address *party // address is nil where it is not known
	buckets       [kinds]bucket
	strikes       bucket
}

// Enter counts a session of a user, which comes from an address, until Leave. It takes of the user's CONNECT rate.
func (l *Limits) Enter(user, remote string) (*Session, *event.Error) {
	p := l.users.hold(user)
	if wait := p.take(Connect, time.Now()); wait > 0 {
		l.users.drop(p)
		return nil, l.refuseAfter("user", Connect, wait)
	}
	if !p.enter(l.cfg.ConnectionsPerUser) {
		l.users.drop(p)
		return nil, l.refuse("user_connections", crowdedRetry, "too many sessions of this user: close one first")
	}
	return &Session{limits: l, user: p, address: l.addresses.hold(Address(remote))}, nil
}

// Leave ends it. It is called once, last.
func (s *Session) Leave() {
	s.user.leave()
	s.limits.users.drop(s.user)
	s.limits.addresses.drop(s.address)
}

// Send takes one SEND, or says why not.
func (s *Session) Send() *event.Error { return s.take(Send) }

// Subscribe takes one SUBSCRIBE, or says why not.
func (s *Session) Subscribe() *event.Error { return s.take(Subscribe) }

// Room takes one message of a room, or takes none and says how long the room has to wait for the next.
func (s *Session) Room(room int64) time.Duration {
	l := s.limits
	if l.cfg.Room.PerSecond <= 0 {
		return 0
	}
	p := l.rooms.holdName(name{room: room})
	defer l.rooms.drop(p)
	wait := p.take(Send, time.Now())
	if wait <= 0 {
		return 0
	}
	return max(wait.Round(time.Millisecond), time.Millisecond)
}

// RoomBack gives back a message that Room took, and that was not stored. Any goroutine may call it, after Leave too.
func (s *Session) RoomBack(room int64) {
	l := s.limits
	if l.cfg.Room.PerSecond <= 0 {
		return
	}
	p := l.rooms.holdName(name{room: room})
	p.giveBack(Send, time.Now())
	l.rooms.drop(p)
}

// RoomRefused counts a message that was refused because its room has to wait. Any goroutine may call it, after Leave
// too. It is no abuse: whom the room hears is not up to one of its members.
func (s *Session) RoomRefused() { s.limits.count("room_send") }

// Abusive notes that the session was refused something, and says whether it should be closed: it goes on and on.
func (s *Session) Abusive() bool {
	now, rate := time.Now(), s.limits.cfg.Strikes
	if s.strikes.wait(rate, now) > 0 {
		s.limits.count("abuse")
		return true
	}
	s.strikes.spend(rate, 1, now)
	return false
}

// take takes one of the session, its user and its address, or of none of them.
func (s *Session) take(kind Kind) *event.Error {
	now, own := time.Now(), s.limits.cfg.Session[kind]
	if wait := s.buckets[kind].wait(own, now); wait > 0 {
		return s.limits.refuseAfter("session", kind, wait)
	}
	s.user.mu.Lock()
	defer s.user.mu.Unlock()
	if wait := s.user.waitLocked(kind, now); wait > 0 {
		return s.limits.refuseAfter("user", kind, wait)
	}
	if s.address != nil {
		if wait := s.address.take(kind, now); wait > 0 {
			return s.limits.refuseAfter("address", kind, wait)
		}
	}
	s.user.spend(kind, 1, now)
	s.buckets[kind].spend(own, 1, now)
	return nil
}
