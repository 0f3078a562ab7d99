package faults_test

import (
	"slices"

	"github.com/fliliy/chat/deploy/faults"
)

// pick chooses one of all for which the condition holds.
func pick[T any](s *story, all []T, condition func(T) bool) (T, bool) {
	var fit []T
	for _, one := range all {
		if condition(one) {
			fit = append(fit, one)
		}
	}
	if len(fit) == 0 {
		var none T
		return none, false
	}
	return fit[s.intn(len(fit))], true
}

// session chooses one with at least n deliveries.
func (s *story) session(n int, more func(*seen) bool) (*seen, bool) {
	return pick(s, s.sessions, func(c *seen) bool { return len(c.got) >= n && (more == nil || more(c)) })
}

func lasting(c *seen) bool { return !c.left && !c.expelled }

func (s *story) dropLast() bool {
	c, ok := s.session(1, lasting)
	if ok {
		c.got = c.got[:len(c.got)-1]
	}
	return ok
}

func (s *story) dropFirst() bool {
	c, ok := s.session(2, nil)
	if ok {
		c.got = c.got[1:]
	}
	return ok
}

func (s *story) dropMiddle() bool {
	c, ok := s.session(3, nil)
	if ok {
		i := 1 + s.intn(len(c.got)-2)
		c.got = slices.Delete(slices.Clone(c.got), i, i+1)
	}
	return ok
}

func (s *story) deliverTwice() bool {
	c, ok := s.session(1, nil)
	if ok {
		i := s.intn(len(c.got))
		c.got = slices.Insert(slices.Clone(c.got), i+s.intn(len(c.got)-i)+1, c.got[i])
	}
	return ok
}

func (s *story) swapDeliveries() bool {
	c, ok := s.session(2, nil)
	if ok {
		i := s.intn(len(c.got) - 1)
		c.got = slices.Clone(c.got)
		c.got[i], c.got[i+1] = c.got[i+1], c.got[i]
	}
	return ok
}

// leakToRemoved delivers to a removed user what was committed after the removal.
func (s *story) leakToRemoved() bool {
	c, ok := pick(s, s.sessions, func(c *seen) bool { return c.expelled && s.afterRemoval(c) != nil })
	if ok {
		c.got = append(c.got, faults.Delivery{Event: eventOf(*s.afterRemoval(c)), At: s.tick()})
	}
	return ok
}

// afterRemoval is the message that follows the first removal of a session's user after its last event, if one does.
func (s *story) afterRemoval(c *seen) *faults.StoredEvent {
	removed := int64(0)
	for i, e := range s.stored {
		switch {
		case e.Room != c.room || e.Seq <= c.base:
		case e.Sender == c.user && e.Change == "joined" && removed > 0:
			return nil
		case e.Sender == c.user && e.Change == "removed":
			removed = e.Seq
		case removed > 0 && e.Seq > c.last() && e.Kind == "MESSAGE":
			return &s.stored[i]
		}
	}
	return nil
}

func (s *story) leakToStranger() bool {
	e, ok := pick(s, s.stored, func(faults.StoredEvent) bool { return true })
	if ok {
		stranger := &seen{user: "mallory", room: e.Room, base: e.Seq - 1, left: true}
		stranger.got = append(stranger.got, faults.Delivery{Event: eventOf(e), At: s.tick()})
		s.sessions = append(s.sessions, stranger)
	}
	return ok
}

func (s *story) deliverToAnotherRoom() bool {
	e, ok := pick(s, s.stored, func(e faults.StoredEvent) bool { return e.Room == 1 })
	if !ok {
		return false
	}
	c, ok := pick(s, s.sessions, func(c *seen) bool { return c.room == 2 })
	if ok {
		c.got = append(slices.Clone(c.got), faults.Delivery{Event: eventOf(e), At: s.tick()})
	}
	return ok
}

// expelMember ends a session with a refusal that no removal explains, and with something undelivered.
func (s *story) expelMember() bool {
	c, ok := s.session(1, func(c *seen) bool {
		return lasting(c) && !slices.ContainsFunc(s.changes, func(ch faults.Change) bool {
			return ch.User == c.user && ch.Room == c.room && !ch.Joined
		})
	})
	if ok {
		c.expelled, c.got = true, c.got[:len(c.got)-1]
	}
	return ok
}

func acked(m *said) bool { return m.outcome == faults.OK }

// dropAcked forgets the last row of a room, if it was acknowledged, as a crash without a sync does.
func (s *story) dropAcked() bool {
	m, ok := pick(s, s.sends, func(m *said) bool { return acked(m) && m.seq == s.head(m.room) })
	if !ok {
		return false
	}
	s.stored = slices.DeleteFunc(s.stored, func(e faults.StoredEvent) bool { return e.Room == m.room && e.Seq == m.seq })
	for _, c := range s.sessions {
		if c.room == m.room && len(c.got) > 0 && c.last() == m.seq {
			c.got = c.got[:len(c.got)-1]
		}
	}
	return true
}

func (s *story) dropRow() bool {
	e, ok := pick(s, s.stored, func(e faults.StoredEvent) bool { return e.Seq < s.head(e.Room) })
	if ok {
		s.stored = slices.DeleteFunc(s.stored, func(other faults.StoredEvent) bool {
			return other.Room == e.Room && other.Seq == e.Seq
		})
	}
	return ok
}

func (s *story) storeTwice() bool {
	e, ok := pick(s, s.stored, func(e faults.StoredEvent) bool { return e.Kind == "MESSAGE" })
	if ok {
		s.append(e)
		s.settle()
	}
	return ok
}

func (s *story) deliverUnderAnotherSeq() bool {
	c, ok := s.session(1, func(c *seen) bool {
		return lasting(c) && slices.ContainsFunc(c.got, func(d faults.Delivery) bool { return d.Event.Kind == "MESSAGE" })
	})
	if !ok {
		return false
	}
	d, _ := pick(s, c.got, func(d faults.Delivery) bool { return d.Event.Kind == "MESSAGE" })
	renumbered := *d.Event
	renumbered.Seq = c.last() + 1
	c.got = append(slices.Clone(c.got), faults.Delivery{Event: &renumbered, At: s.tick()})
	return true
}

func (s *story) answerDifferently() bool {
	m, ok := pick(s, s.sends, acked)
	if ok {
		again := *m
		again.seq, again.duplicate, again.ended = m.seq+1, true, s.tick()
		s.sends = append(s.sends, &again)
	}
	return ok
}

func (s *story) answerNewTwice() bool {
	m, ok := pick(s, s.sends, func(m *said) bool { return acked(m) && !m.duplicate })
	if ok {
		again := *m
		again.ended = s.tick()
		s.sends = append(s.sends, &again)
	}
	return ok
}

// replayTooMuch gives a resumed session once more what it said it had.
func (s *story) replayTooMuch() bool {
	c, ok := pick(s, s.sessions, func(c *seen) bool { return c.base > 0 })
	if !ok {
		return false
	}
	e, _ := pick(s, s.stored, func(e faults.StoredEvent) bool { return e.Room == c.room && e.Seq == c.base })
	c.got = slices.Insert(slices.Clone(c.got), 0, faults.Delivery{Event: eventOf(e), At: s.tick()})
	return true
}

func (s *story) storeUnsent() bool {
	s.append(faults.StoredEvent{Room: 1, Kind: "MESSAGE", Sender: "alice", ClientMessageID: "from nowhere"})
	s.settle()
	return true
}

func (s *story) storeRefused() bool {
	m, ok := pick(s, s.sends, func(m *said) bool { return m.outcome == faults.Failed })
	if ok {
		s.append(faults.StoredEvent{Room: m.room, Kind: "MESSAGE", Sender: m.sender, ClientMessageID: m.id})
		s.settle()
	}
	return ok
}

func (s *story) deliverUnstored() bool {
	c, ok := s.session(1, nil)
	if ok {
		i := s.intn(len(c.got))
		other := *c.got[i].Event
		other.ClientMessageID = "something else"
		c.got = slices.Clone(c.got)
		c.got[i].Event = &other
	}
	return ok
}

// swapRows stores two messages the wrong way round, of which the second was sent after the first was acknowledged.
func (s *story) swapRows() bool {
	a, ok := pick(s, s.sends, func(a *said) bool { return acked(a) && s.successor(a) != nil })
	if !ok {
		return false
	}
	b := s.successor(a)
	first, second := s.row(a), s.row(b)
	first.Sender, second.Sender = second.Sender, first.Sender
	first.ClientMessageID, second.ClientMessageID = second.ClientMessageID, first.ClientMessageID
	one, two := a.seq, b.seq
	for _, m := range s.sends {
		switch {
		case m.room == a.room && m.seq == one:
			m.seq = two
		case m.room == a.room && m.seq == two:
			m.seq = one
		}
	}
	for _, c := range s.sessions {
		for i, d := range c.got {
			if d.Event.Room == a.room && (d.Event.Seq == one || d.Event.Seq == two) {
				row, _ := pick(s, s.stored, func(e faults.StoredEvent) bool {
					return e.Room == a.room && e.Seq == d.Event.Seq
				})
				c.got[i].Event = eventOf(row)
			}
		}
	}
	return true
}

// successor is a stored message that was first sent after another one of its room was acknowledged.
func (s *story) successor(a *said) *said {
	for _, b := range s.sends {
		if b.room == a.room && b.seq > a.seq && b.invoked > a.ended && !s.repeated(b) {
			return b
		}
	}
	return nil
}

func (s *story) repeated(b *said) bool {
	n := 0
	for _, m := range s.sends {
		if m.id == b.id {
			n++
		}
	}
	return n > 1
}

func (s *story) row(m *said) *faults.StoredEvent {
	i := slices.IndexFunc(s.stored, func(e faults.StoredEvent) bool { return e.Room == m.room && e.Seq == m.seq })
	return &s.stored[i]
}
