package faults_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/fliliy/chat/deploy/faults"
)

// story is a made-up run of a system that keeps its promises, before it becomes a History; a mutation spoils it.
type story struct {
	intn func(n int) int // where all chance comes from
	now  time.Duration

	sends    []*said
	sessions []*seen
	changes  []faults.Change
	stored   []faults.StoredEvent
	users    []string
}

// said is one message of a client.
type said struct {
	room           int64
	sender, id     string
	invoked, ended time.Duration
	seq            int64 // where it is stored; 0: not
	outcome        faults.Outcome
	duplicate      bool
}

// seen is one session of a client.
type seen struct {
	user           string
	room, base     int64
	got            []faults.Delivery
	left, expelled bool
}

const storyRooms = 2

// tell makes up a run: some users in two rooms, who send, lose connections, resume, leave, are removed and come back,
// while messages are committed and acknowledged late, twice, or never.
func tell(intn func(n int) int, steps int) *story {
	s := &story{intn: intn, users: []string{"alice", "bob", "carol"}}
	for room := int64(1); room <= storyRooms; room++ {
		for _, user := range s.users {
			s.changes = append(s.changes, faults.Change{Room: room, User: user, Joined: true, Acked: s.tick()})
			s.open(user, room, 0)
		}
	}
	for range steps {
		s.step()
	}
	s.settle()
	return s
}

// tick is a new moment.
func (s *story) tick() time.Duration {
	s.now += time.Millisecond
	return s.now
}

func (s *story) open(user string, room, base int64) {
	s.sessions = append(s.sessions, &seen{user: user, room: room, base: base})
}

func (s *story) step() {
	switch s.intn(12) {
	case 0, 1, 2:
		s.say()
	case 3, 4:
		s.commit()
	case 5, 6:
		s.answer()
	case 7, 8, 9:
		s.deliver(s.sessions[s.intn(len(s.sessions))])
	case 10:
		s.resubscribe(s.sessions[s.intn(len(s.sessions))])
	default:
		s.removeAndInvite()
	}
}

func (s *story) say() {
	room, sender := int64(1+s.intn(storyRooms)), s.users[s.intn(len(s.users))]
	id := fmt.Sprintf("m%d", len(s.sends))
	s.sends = append(s.sends, &said{room: room, sender: sender, id: id, invoked: s.tick()})
}

// open messages are those without an outcome.
func (s *story) openSends(stored bool) []*said {
	var out []*said
	for _, m := range s.sends {
		if m.outcome == faults.Open && (m.seq > 0) == stored {
			out = append(out, m)
		}
	}
	return out
}

func (s *story) head(room int64) int64 {
	n := int64(0)
	for _, e := range s.stored {
		if e.Room == room {
			n++
		}
	}
	return n
}

func (s *story) append(e faults.StoredEvent) int64 {
	e.Seq = s.head(e.Room) + 1
	if e.Kind == "MESSAGE" {
		e.MessageID = fmt.Sprintf("%d-%d", e.Room, e.Seq)
	}
	s.stored = append(s.stored, e)
	s.tick()
	return e.Seq
}

// commit stores an open message, or refuses it, or gives it up while it is not stored.
func (s *story) commit() {
	waiting := s.openSends(false)
	if len(waiting) == 0 {
		return
	}
	m := waiting[s.intn(len(waiting))]
	switch s.intn(6) {
	case 0:
		m.outcome, m.ended = faults.Failed, s.tick()
	case 1:
		m.outcome, m.ended = faults.Unknown, s.tick()
	default:
		s.store(m)
	}
}

func (s *story) store(m *said) {
	m.seq = s.append(faults.StoredEvent{Room: m.room, Kind: "MESSAGE", Sender: m.sender, ClientMessageID: m.id})
}

// answer tells the sender of a stored message, or does not; now and then the message was repeated meanwhile.
func (s *story) answer() {
	waiting := s.openSends(true)
	if len(waiting) == 0 {
		return
	}
	m := waiting[s.intn(len(waiting))]
	switch s.intn(5) {
	case 0:
		m.outcome = faults.Unknown
	case 1:
		copied := *m
		copied.invoked, copied.outcome, copied.duplicate = s.tick(), faults.OK, true
		copied.ended = s.tick()
		s.sends = append(s.sends, &copied)
		m.outcome = faults.OK
	default:
		m.outcome, m.duplicate = faults.OK, s.intn(4) == 0
	}
	m.ended = s.tick()
}

// deliver gives a session its next event, if there is one.
func (s *story) deliver(to *seen) bool {
	if to.left || to.expelled {
		return false
	}
	next := to.last() + 1
	for _, e := range s.stored {
		if e.Room == to.room && e.Seq == next {
			to.got = append(to.got, faults.Delivery{Event: eventOf(e), At: s.tick()})
			return true
		}
	}
	return false
}

func (to *seen) last() int64 {
	if len(to.got) == 0 {
		return to.base
	}
	return to.got[len(to.got)-1].Event.Seq
}

func eventOf(e faults.StoredEvent) *faults.Event {
	return &faults.Event{
		Room: e.Room, Seq: e.Seq, Kind: e.Kind, Sender: e.Sender,
		MessageID: e.MessageID, ClientMessageID: e.ClientMessageID, Change: e.Change,
	}
}

// resubscribe ends a session on purpose, where it is, and begins the next one there.
func (s *story) resubscribe(old *seen) {
	if old.left || old.expelled {
		return
	}
	old.left = true
	s.open(old.user, old.room, old.last())
}

// removeAndInvite takes a user out of a room, lets the others talk, and invites the user again; the next session begins
// at the invitation.
func (s *story) removeAndInvite() {
	room, user := int64(1+s.intn(storyRooms)), s.users[s.intn(len(s.users))]
	asked := s.tick()
	s.append(faults.StoredEvent{Room: room, Kind: "MEMBER", Sender: user, Change: "removed"})
	for _, session := range s.sessions {
		if session.user == user && session.room == room {
			for s.intn(3) > 0 && s.deliver(session) { // some of what is left, up to the removal
			}
			if !session.left {
				session.expelled = true
			}
		}
	}
	s.changes = append(s.changes, faults.Change{Room: room, User: user, Invoked: asked, Acked: s.tick()})
	for range s.intn(3) {
		s.say()
		m := s.sends[len(s.sends)-1]
		if m.room == room {
			s.store(m)
		}
	}
	asked = s.tick()
	seq := s.append(faults.StoredEvent{Room: room, Kind: "MEMBER", Sender: user, Change: "joined"})
	s.changes = append(s.changes, faults.Change{Room: room, User: user, Joined: true, Invoked: asked, Acked: s.tick()})
	s.open(user, room, seq-1)
}

// settle lets all sessions that last catch up.
func (s *story) settle() {
	for _, session := range s.sessions {
		for s.deliver(session) {
		}
	}
}

// check makes a History of the story and checks it.
func (s *story) check() *faults.Report {
	var now time.Duration
	h := faults.NewHistoryAt(func() time.Duration { return now })
	changes := slices.Clone(s.changes)
	for _, c := range changes {
		now = c.Acked
		if c.Joined {
			h.Member(c.Room, c.User, c.Invoked)
		} else {
			h.NoMember(c.Room, c.User, c.Invoked)
		}
	}
	for _, m := range s.sends {
		now = m.invoked
		op := h.Invoke(m.room, m.sender, m.id)
		now = m.ended
		switch m.outcome {
		case faults.OK:
			op.OK(faults.Receipt{MessageID: fmt.Sprintf("%d-%d", m.room, m.seq), Seq: m.seq, Duplicate: m.duplicate})
		case faults.Failed:
			op.Fail("FORBIDDEN")
		case faults.Unknown:
			op.Info("the run is over")
		}
	}
	for _, session := range s.sessions {
		made := h.Begin(0, session.user, session.room, session.base)
		for _, d := range session.got {
			made.Deliver(d)
		}
		if session.left {
			made.Leave()
		}
		if session.expelled {
			made.Expel()
		}
	}
	return faults.Check(h, s.stored)
}
