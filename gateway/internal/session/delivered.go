package session

import (
	"slices"
	"strconv"

	"github.com/fliliy/chat/gateway/internal/action"
)

// ACKs come in bursts, and only the highest of a room counts. So a session has at most one command for the delivered
// mark of a room under way; what is acknowledged meanwhile is one more command once that is answered. (A COMMIT brings
// the marks of its transaction in its own command.)

// marking is the delivered mark of one room while it is being moved. mu guards it.
type marking struct {
	room    int64
	seq     int64 // under way
	next    int64 // acknowledged since; 0 for nothing
	waiting []*pending
	later   []*pending // wait for next
}

// markDelivered tells the chat service what an ACK comes to. Only where a RECEIPT is asked for does anybody wait for
// the outcome, or hear of a failure: the next ACK makes up for one that was lost.
func (s *session) markDelivered(req request, got acknowledged) {
	if got.seq == 0 || req.receiptID == "" {
		s.answer(req, nil)
		s.moveMark(got, nil)
		return
	}
	if p := s.admit(req); p != nil && !s.moveMark(got, p) {
		s.settle(p, nil, nil)
	}
}

// moveMark sees to it that a room's mark moves, and that p, which may be nil, is settled then. It says false when
// there is nothing to do.
func (s *session) moveMark(got acknowledged, p *pending) bool {
	s.mu.Lock()
	if got.seq == 0 || s.isMarked(got) {
		s.mu.Unlock()
		return false
	}
	m := s.marking(got.room)
	fresh := m == nil
	if fresh {
		m = &marking{room: got.room, seq: got.seq}
		s.markings = append(s.markings, m)
		if p != nil {
			m.waiting = []*pending{p}
		}
	} else {
		m.next = max(m.next, got.seq)
		if p != nil {
			m.later = append(m.later, p)
		}
	}
	s.mu.Unlock()
	if fresh {
		s.submitMark(m, got.seq)
	}
	return true
}

func (s *session) submitMark(m *marking, seq int64) {
	s.deps.Relay.Submit(s.user, []action.Action{deliveredAction(m.room, seq)}, func(_ []action.Stored, err error) {
		s.marked(m, err)
	})
}

// marked takes the answer to a command, and sends the next one if it is needed.
func (s *session) marked(m *marking, err error) {
	s.mu.Lock()
	if err == nil {
		s.noteMarked(m)
	}
	settled, next := m.waiting, m.next
	m.waiting, m.later, m.next = m.later, nil, 0
	if next == 0 || err == nil && next <= m.seq {
		settled = append(settled, m.waiting...)
		next = 0
		s.markings = slices.DeleteFunc(s.markings, func(other *marking) bool { return other == m })
	}
	m.seq = next
	s.mu.Unlock()
	if err != nil && len(settled) == 0 {
		s.countRefusal(s.causeOf(err).Code)
	}
	for _, p := range settled {
		s.settle(p, nil, err)
	}
	if next > 0 {
		s.submitMark(m, next)
	}
}

// marking returns the room's marking, or nil. Call it under mu.
func (s *session) marking(room int64) *marking {
	for _, m := range s.markings {
		if m.room == room {
			return m
		}
	}
	return nil
}

// isMarked says whether the chat service knows already. Call it under mu.
func (s *session) isMarked(got acknowledged) bool {
	return slices.ContainsFunc(s.subs, func(sub *subscription) bool {
		return sub.log.Room == got.room && sub.acks.marked >= got.seq
	})
}

// noteMarked remembers on the room's subscriptions what the chat service knows. Call it under mu.
func (s *session) noteMarked(m *marking) {
	for _, sub := range s.subs {
		if sub.log.Room == m.room {
			sub.acks.marked = max(sub.acks.marked, m.seq)
		}
	}
}

func deliveredAction(room, seq int64) action.Action {
	body := strconv.AppendInt([]byte(`{"seq":`), seq, 10)
	return action.Action{Verb: action.Delivered, Room: room, Body: append(body, '}')}
}
