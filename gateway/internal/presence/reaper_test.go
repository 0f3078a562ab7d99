package presence_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/fliliy/chat/gateway/internal/presence"
)

// One gateway at a time clears a dead one away; when it dies over it, another one goes on.
func TestOneGatewayClearsADeadOneAway(t *testing.T) {
	t.Parallel()
	s := miniredis.RunT(t)
	m := newMachine(t, s, dial(t, s.Addr()))
	t.Cleanup(m.end)
	m.order = func() []int { return []int{1, 2, 0} }
	const users, batch = 500, 128
	for i := range users {
		m.gateways[0].Connect(fmt.Sprint("session of ", i), fmt.Sprint("user ", i))
	}
	m.ticks(5)
	held := ""
	for _, key := range s.Keys() {
		if strings.HasPrefix(key, presence.HeldKey("")) { // only the first gateway has users
			held = key
		}
	}
	left := func() int {
		members, err := s.SMembers(held)
		if err != nil {
			return 0
		}
		return len(members)
	}
	if left() != users {
		t.Fatalf("%d users held by the gateway that is to die, want %d", left(), users)
	}
	m.hurt("crash", 0)
	m.ticks(9)
	for i := 0; left() == users && i < 3; i++ { // the second gateway begins, and does not hear what came of it
		m.gateways[1].wire.loseReap = true
		m.tick()
	}
	rest := left()
	if rest == 0 || rest == users || (users-rest)%batch != 0 {
		t.Fatalf("%d of %d users left in the midst of it, want some, less whole batches of %d", rest, users, batch)
	}
	m.gateways[1].frozen = 4
	m.ticks(4)
	if left() != rest {
		t.Fatalf("%d users left, %d before: the third gateway has meddled", left(), rest)
	}
	m.gateways[1].frozen = 20
	m.cutOff = true
	m.ticks(10)
	if left() != 0 {
		t.Errorf("%d users left, though the gateway that cleared them away has been silent for 14 s", left())
	}
	if online := s.Exists("websocket:online_users"); online {
		t.Error("somebody is still online")
	}
}
