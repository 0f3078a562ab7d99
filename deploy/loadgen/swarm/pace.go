package swarm

import (
	"slices"
	"time"

	"github.com/fliliy/chat/deploy/loadgen/scenario"
)

// task is done again and again.
type task struct {
	every time.Duration
	next  time.Duration
	do    func(due time.Duration)
}

// later is done once.
type later struct {
	at time.Duration
	do func()
}

// every adds a task; the caller arms the timer, or Start does.
func (s *Swarm) every(d time.Duration, do func(due time.Duration)) {
	s.tasks = append(s.tasks, task{every: d, next: s.loop.Refresh() + d, do: do})
	s.arm()
}

// pace adds a task of this swarm's share of a rate a second, all swarms together.
func (s *Swarm) pace(rate float64, do func(due time.Duration)) {
	share := rate * float64(len(s.clients)) / float64(s.plan.Scenario.Connections)
	if share > 0 {
		s.every(max(1, time.Duration(float64(time.Second)/share)), do)
	}
}

// Due does what is due. A task that is behind is done as often as it should have been.
func (s *Swarm) Due() {
	now := s.loop.Now()
	for i := range s.tasks {
		for s.tasks[i].next <= now {
			due := s.tasks[i].next
			s.tasks[i].next += s.tasks[i].every
			s.tasks[i].do(due)
		}
	}
	ready := s.later
	s.later = nil
	for _, l := range ready {
		if l.at <= now {
			l.do()
		} else {
			s.later = append(s.later, l)
		}
	}
	s.arm()
}

// arm sets the timer for what comes next.
func (s *Swarm) arm() {
	times := make([]time.Duration, 0, 8)
	for _, t := range s.tasks {
		times = append(times, t.next)
	}
	for _, l := range s.later {
		times = append(times, l.at)
	}
	if len(times) == 0 {
		return
	}
	if err := s.loop.Arm(slices.Min(times)); err != nil {
		s.fail(err)
	}
}

// sendOne sends one message of the paced load: the next sender's who is live. One with a full window of messages without an
// answer sends none: what is further back could not be sent again, nor told from a double.
func (s *Swarm) sendOne(due time.Duration) {
	for range s.senders {
		by := s.senders[s.turn%len(s.senders)]
		s.turn++
		if s.loading && s.clients[by.client].stage == live && !by.to.isFull() {
			s.sendNext(by, due)
			return
		}
	}
}

var statuses = [][]byte{[]byte("away"), []byte("busy"), []byte("online")}

// actOne does something else, as the next user who is live.
func (s *Swarm) actOne(what *action) func(time.Duration) {
	return func(time.Duration) {
		for range s.clients {
			s.turn++
			i := s.turn % len(s.clients)
			if what != nil && s.loading && s.clients[i].stage == live {
				s.values[scenario.Status] = statuses[s.turn%len(statuses)]
				s.act(i, what, s.clients[i].subs[s.turn%len(s.clients[i].subs)].room)
				return
			}
		}
	}
}

// cutOne cuts the next client's connection.
func (s *Swarm) cutOne() {
	for range s.clients {
		s.turn++
		if i := s.turn % len(s.clients); s.loading && s.clients[i].stage == live {
			s.cut(i)
			s.dialMore()
			return
		}
	}
}
