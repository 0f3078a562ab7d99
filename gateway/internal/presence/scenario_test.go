package presence_test

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// What is too rare for chance to find it often, step by step against the same model, in some orders in which gateways
// may have their beats.
var scenarios = []struct {
	name string
	play func(m *machine)
}{
	{"a user who leaves is offline after the debounce", func(m *machine) {
		alice := m.connectTo(0, "alice")
		m.ticks(5)
		m.disconnect(alice)
		m.ticks(2)
		m.wantTold("alice", "online")
		m.ticks(1)
		m.wantTold("alice", "offline")
	}},
	{"the users of a gateway that leaves are offline after the debounce and two beats, unless they come back", func(m *machine) {
		m.connectTo(0, "alice")
		m.connectTo(0, "bob")
		m.ticks(5)
		m.hurt("stop", 0)
		m.ticks(2)
		m.connectTo(1, "bob")
		m.wantTold("alice", "online")
		m.ticks(3)
		m.wantTold("alice", "offline")
		m.wantTold("bob", "online")
	}},
	{"the users of a gateway that dies are offline within 15 s, unless they come back", func(m *machine) {
		m.connectTo(0, "alice")
		m.connectTo(0, "bob")
		m.ticks(5)
		m.hurt("crash", 0)
		m.ticks(8)
		m.connectTo(1, "bob")
		m.wantTold("alice", "online")
		m.ticks(4)
		m.wantTold("alice", "offline")
		m.wantTold("bob", "online")
	}},
	{"a gateway is silent for a while, then nobody reaches Redis, and it is late to come back", func(m *machine) {
		m.connectTo(0, "alice")
		m.ticks(5)
		m.gateways[0].frozen = 12
		m.ticks(8)
		m.outage = 1 // too short for a grace
		m.ticks(10)
	}},
	{"a user leaves in an outage, and her gateway dies before her going could be told", func(m *machine) {
		alice := m.connectTo(0, "alice")
		m.ticks(5)
		m.outage = 6
		m.disconnect(alice)
		m.ticks(8)
		m.hurt("crash", 0)
	}},
	{"a user changes gateways in an outage", func(m *machine) {
		alice := m.connectTo(0, "alice")
		m.ticks(5)
		m.outage = 12
		m.ticks(1)
		m.disconnect(alice)
		m.connectTo(1, "alice")
		m.ticks(30)
	}},
	{"a gateway dies before it gets the answer to a user's coming", func(m *machine) {
		m.ticks(5)
		m.gateways[0].wire.loseAnswer = true
		m.connectTo(0, "alice")
		m.hurt("crash", 0)
		m.ticks(30)
		m.connectTo(1, "alice")
	}},
	{"the gateway that clears a dead one away dies over it", func(m *machine) {
		m.ticks(5)
		for range 3 {
			m.connectTo(0, "alice")
			m.connectTo(1, "bob")
		}
		m.ticks(1)
		m.hurt("crash", 0)
		m.ticks(10)
		m.gateways[1].wire.loseAnswer = true
		m.gateways[2].wire.loseAnswer = true
		m.ticks(1)
		m.hurt("crash", 1)
	}},
	{"a gateway is thought dead, and was only cut off", func(m *machine) {
		m.connectTo(0, "alice")
		m.ticks(5)
		m.cutOff = true
		m.gateways[0].frozen = 15
		m.ticks(14)
		m.wantTold("alice", "offline")
	}},
	{"Redis is emptied again and again", func(m *machine) {
		m.connectTo(0, "alice")
		m.connectTo(1, "alice")
		m.connectTo(1, "bob")
		m.settle()
		for range 5 {
			m.empty(m.redis.FlushAll)
			m.ticks(3)
		}
	}},
	{"a new gateway is the first one back in an emptied Redis", func(m *machine) {
		m.ticks(5)
		m.hurt("stop", 0)
		m.ticks(settling)
		m.connectTo(1, "alice")
		busy := m.connectTo(2, "alice")
		m.gateways[2].SetStatus(busy, "alice", "busy")
		m.sessions[busy].status = "busy"
		m.ticks(5)
		told := m.last["alice"]
		m.gateways[2].frozen = 5 // it is the last one back
		m.empty(m.redis.FlushAll)
		m.start(0)
		m.ticks(20)
		if m.last["alice"] != told {
			m.fatalf("alice is busy on the gateway that was last to come back, but was told %+v", m.last["alice"])
		}
	}},
	{"the clock of Redis leaps an hour", func(m *machine) {
		m.connectTo(0, "alice")
		m.connectTo(1, "bob")
		m.settle()
		m.leap(time.Hour)
	}},
}

// wantTold compares what was told last of a user.
func (m *machine) wantTold(user, want string) {
	m.t.Helper()
	if got := m.last[user].Status; got != want {
		m.fatalf("%s was last told %q, want %q", user, got, want)
	}
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	for _, scenario := range scenarios {
		t.Run(scenario.name, func(t *testing.T) {
			t.Parallel()
			s := miniredis.RunT(t)
			rdb := dial(t, s.Addr())
			for _, order := range [][]int{{0, 1, 2}, {1, 2, 0}, {2, 1, 0}} {
				s.FlushAll()
				m := newMachine(t, s, rdb)
				m.order = func() []int { return order }
				scenario.play(m)
				m.settle()
				m.end()
			}
		})
	}
}
