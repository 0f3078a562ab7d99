package presence_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"pgregory.net/rapid"

	"github.com/fliliy/chat/gateway/internal/presence"
)

// The model of presence, written from DESIGN and the package comment, not from the code. Three gateways run on one
// Redis, driven step by step under one clock, so that a failure is the same each time. What is compared:
//   - the four keys, whenever all has settled: they are what the sessions add up to;
//   - the changes told, all along: nobody who is here is told offline, nobody is told the same twice, and when all
//     has settled the last that was told of each user is the truth. (When Redis was emptied in the moment after a
//     change, a user of several gateways may be told once more to be what she is: not all of them have heard of it.)
//   - the keys, all along: who is here and was shown online is not shown offline.

// TestPresenceFollowsTheModel does at random what happens to sessions, gateways and Redis.
func TestPresenceFollowsTheModel(t *testing.T) {
	t.Parallel()
	s := miniredis.RunT(t)
	rdb := dial(t, s.Addr())
	rapid.Check(t, func(rt *rapid.T) {
		s.FlushAll()
		m := newMachine(t, s, rdb)
		m.rt, m.fatalf = rt, rt.Fatalf
		m.order = func() []int { return rapid.Permutation([]int{0, 1, 2}).Draw(rt, "order") }
		defer m.end()
		for range rapid.IntRange(1, 50).Draw(rt, "steps") {
			m.step()
		}
		m.settle()
	})
}

// weights say how often what happens.
var weights = map[string]int{
	"tick": 10, "connect": 8, "enter": 4, "leave": 2, "status": 4, "disconnect": 6, "move": 5, "crash": 1, "stop": 1,
	"start": 3, "freeze": 1, "lose request": 2, "lose answer": 2, "outage": 1, "flush": 1, "leap": 1, "settle": 1,
}

// step does one thing to the gateways and to the model.
func (m *machine) step() {
	var verbs []string
	for _, verb := range slices.Sorted(maps.Keys(weights)) {
		verbs = append(verbs, slices.Repeat([]string{verb}, weights[verb])...)
	}
	verb := rapid.SampledFrom(verbs).Draw(m.rt, "verb")
	switch verb {
	case "tick":
		m.ticks(rapid.IntRange(1, 5).Draw(m.rt, "ticks"))
	case "connect":
		m.connect(rapid.SampledFrom([]string{"alice", "bob", "carol"}).Draw(m.rt, "user"))
	case "crash", "stop", "start", "freeze", "lose request", "lose answer":
		m.hurt(verb, rapid.IntRange(0, len(m.gateways)-1).Draw(m.rt, "gateway"))
	case "outage":
		m.outage = rapid.IntRange(1, 15).Draw(m.rt, "ticks of outage")
	case "flush":
		m.empty(m.redis.FlushAll)
	case "leap":
		m.leap(rapid.SampledFrom([]time.Duration{5 * time.Minute, 20 * time.Minute, time.Hour}).Draw(m.rt, "leap"))
	case "settle":
		m.settle()
	default:
		m.live(verb)
	}
}

// live is what a session does.
func (m *machine) live(verb string) {
	var ids []string
	for id, s := range m.sessions {
		if s.ended.IsZero() {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return
	}
	slices.Sort(ids)
	id := rapid.SampledFrom(ids).Draw(m.rt, "session")
	s := m.sessions[id]
	g := m.gateways[s.gateway]
	switch verb {
	case "enter":
		room := rapid.Int64Range(1, 3).Draw(m.rt, "room")
		g.Enter(id, s.user, room)
		s.rooms[room]++
	case "leave":
		room := rapid.Int64Range(1, 3).Draw(m.rt, "room")
		g.Leave(id, s.user, room)
		if s.rooms[room]--; s.rooms[room] <= 0 {
			delete(s.rooms, room)
		}
	case "status":
		s.status = rapid.SampledFrom([]string{"online", "away", "busy"}).Draw(m.rt, "status")
		g.SetStatus(id, s.user, s.status)
	case "disconnect", "move":
		m.disconnect(id)
		if verb == "move" {
			m.connect(s.user)
		}
	}
	if rapid.Bool().Draw(m.rt, "write at once") {
		m.turn(s.gateway, false)
	}
}

func (m *machine) connect(user string) {
	var up []int
	for i, g := range m.gateways {
		if g.Stepper != nil {
			up = append(up, i)
		}
	}
	if len(up) > 0 {
		m.connectTo(rapid.SampledFrom(up).Draw(m.rt, "gateway"), user)
	}
}

// hurt does something to one gateway.
func (m *machine) hurt(verb string, i int) {
	g := m.gateways[i]
	switch {
	case verb == "start":
		if g.Stepper == nil {
			m.start(i)
		}
	case g.Stepper == nil:
	case verb == "crash", verb == "stop":
		// What only a gateway knew that ends while Redis is empty nobody can know.
		if m.absent > 2 && m.outage == 0 {
			m.lose(i)
			if verb == "stop" {
				g.End(m.t.Context())
			}
			_ = g.client.Close()
			m.gateways[i] = &modelGateway{}
		}
	case verb == "freeze":
		if m.outage == 0 { // both together are too long a silence
			g.frozen = rapid.IntRange(1, 5).Draw(m.rt, "ticks of freeze") // and a debounce: less than a lease
		}
	case verb == "lose request":
		g.wire.loseRequest = true
	case verb == "lose answer":
		g.wire.loseAnswer = true
	}
}

// hear takes the changes that a gateway tells.
func (m *machine) hear(changes []presence.Change) {
	for _, change := range changes {
		last, known := m.last[change.User]
		switch {
		case known && change == last && m.mourned < 2*settling: // of a gateway that died, told again
			continue
		case known && !change.At.After(last.At):
			m.fatalf("told %+v after %+v", change, last)
		case change.Status == cmp.Or(last.Status, "offline") && (!m.flushed || !m.spread[change.User]):
			m.fatalf("told %+v again after %+v", change, last)
		case change.Status == "offline" && m.here(change.User) && !m.cutOff:
			m.fatalf("told %+v, but she is here: %s", change, m.describe())
		}
		m.last[change.User] = change
	}
}

// here says whether a user has a session that counts and was written.
func (m *machine) here(user string) bool {
	for _, s := range m.sessions {
		if s.user == user && s.written && (s.ended.IsZero() || m.lingers(s)) {
			return true
		}
	}
	return false
}

// look compares who is shown online with who was.
func (m *machine) look() {
	for _, user := range []string{"alice", "bob", "carol"} {
		online := m.redis.Exists("websocket:user:status:" + user)
		if set, err := m.redis.SIsMember("websocket:online_users", user); err == nil && set != online {
			m.fatalf("%s: a status %v, among those online %v", user, online, set)
		}
		if m.shown[user] && !online && m.here(user) && !m.cutOff {
			m.fatalf("%s is shown offline, but she is here: %s", user, m.describe())
		}
		m.shown[user] = online
	}
}

// settle heals everything, waits, and compares.
func (m *machine) settle() {
	m.outage = 0
	for i, g := range m.gateways {
		g.frozen = 0
		if g.Stepper == nil {
			m.start(i)
		}
	}
	m.ticks(settling)
	want := modelKeys(m.sessions)
	if got := readKeys(m.t, m.rdb); !maps.Equal(want, got) {
		m.fatalf("keys in Redis are %v, want %v", got, want)
	}
	for _, user := range []string{"alice", "bob", "carol"} {
		truth := cmp.Or(want["websocket:user:status:"+user], "offline")
		if told := cmp.Or(m.last[user].Status, "offline"); told != truth {
			m.fatalf("%s was last told %s, and is %s", user, told, truth)
		}
	}
	m.flushed = false
	clear(m.spread)
	for _, a := range m.sessions {
		for _, b := range m.sessions {
			m.spread[a.user] = m.spread[a.user] || a.user == b.user && a.gateway != b.gateway
		}
	}
}

func (m *machine) end() {
	for _, g := range m.gateways {
		if g.client != nil {
			_ = g.client.Close()
		}
	}
}

func (m *machine) describe() string {
	var text strings.Builder
	for id, s := range m.sessions {
		fmt.Fprintf(&text, "\n%s: %+v", id, *s)
	}
	return text.String()
}

// modelKeys says what operators have to see.
func modelKeys(sessions map[string]*modelSession) keys {
	sets, want := map[string]map[string]bool{}, keys{}
	add := func(key, member string) {
		if sets[key] == nil {
			sets[key] = map[string]bool{}
		}
		sets[key][member] = true
	}
	for _, s := range sessions {
		add("websocket:online_users", s.user)
		key := "websocket:user:status:" + s.user
		switch was := want[key]; {
		case was == "busy" || s.status == "busy":
			want[key] = "busy"
		case was == "online" || s.status == "online":
			want[key] = "online"
		default:
			want[key] = "away"
		}
		for room := range s.rooms {
			add(fmt.Sprint("websocket:chatroom:users:", room), s.user)
			add("websocket:user:chatrooms:"+s.user, fmt.Sprint(room))
		}
	}
	for key, members := range sets {
		want[key] = strings.Join(slices.Sorted(maps.Keys(members)), "|")
	}
	return want
}
