package presence_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/fliliy/chat/gateway/internal/presence"
)

// anyUser draws ids that try to be something else: pieces of our own names and of Redis' patterns among any text.
var anyUser = rapid.OneOf(
	rapid.StringN(1, 128, 128),
	rapid.StringMatching(`[a:{}*?\[\]\\ |]{1,12}`),
	rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{
		"websocket:", "online_users", "user:", "status:", "chatrooms:", "chatroom:users:", "fliliy:presence:", "user",
		"gateways", "lease:", "held:", "{", "}", "*", "1", "é", "busy", " ",
	}), 1, 6), func(parts []string) string { return strings.Join(parts, "") }),
)

// No two of all the things we keep share a key, whatever the ids are, and each key ends in the id as it is.
func TestKeysNeverCollide(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		users := rapid.SliceOfNDistinct(anyUser, 1, 8, rapid.ID[string]).Draw(t, "users")
		rooms := rapid.SliceOfNDistinct(rapid.Int64Min(1), 1, 8, rapid.ID[int64]).Draw(t, "rooms")
		owner := map[string]string{presence.OnlineUsersKey: "online users", presence.GatewaysKey: "gateways"}
		add := func(key, id, what string) {
			if other, taken := owner[key]; taken {
				t.Fatalf("key %q is that of %s and of %s", key, other, what)
			}
			if !strings.HasSuffix(key, ":"+id) {
				t.Fatalf("key %q of %s does not end in %q", key, what, id)
			}
			owner[key] = what
		}
		for _, u := range users {
			add(presence.StatusKey(u), u, "status of "+u)
			add(presence.UserRoomsKey(u), u, "rooms of "+u)
			add(presence.RecordKey(u), u, "record of "+u)
			add(presence.LeaseKey(u), u, "lease of a gateway called "+u)
			add(presence.HeldKey(u), u, "users of a gateway called "+u)
		}
		for _, room := range rooms {
			add(presence.RoomUsersKey(room), strconv.FormatInt(room, 10), fmt.Sprint("room ", room))
		}
	})
}

// modelSession is what the model knows of a session.
type modelSession struct {
	gateway      int
	user, status string
	rooms        map[int64]int
}

// modelKeys says what operators have to see: written from DESIGN, not from the code.
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

// Whatever happens on three gateways, restarts and FLUSHALLs among it: once it has settled, the keys are the model's.
func TestKeysFollowTheModel(t *testing.T) {
	t.Parallel()
	s := miniredis.RunT(t)
	rdb := dial(t, s.Addr())
	rapid.Check(t, func(rt *rapid.T) {
		s.FlushAll()
		m := &machine{t: t, addr: s.Addr(), rdb: rdb, sessions: map[string]*modelSession{}}
		for i := range m.gateways {
			m.gateways[i] = runGateway(t, s.Addr(), quick)
		}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			m.step(rt)
		}
		for _, g := range m.gateways {
			g.settle(t, rdb)
		}
		awaitKeys(t, rdb, modelKeys(m.sessions))
		for _, g := range m.gateways {
			g.stop(t)
		}
		wantKeys(t, rdb, keys{})
	})
}

// machine is three gateways and the model beside them.
type machine struct {
	t        *testing.T
	addr     string
	rdb      *redis.Client
	gateways [3]*gateway
	sessions map[string]*modelSession
	made     int
}

// step does one thing to the gateways and to the model.
func (m *machine) step(rt *rapid.T) {
	verb := rapid.SampledFrom([]string{
		"connect", "connect", "enter", "enter", "enter", "leave", "status", "disconnect", "restart", "flush",
	}).Draw(rt, "verb")
	switch verb {
	case "connect":
		m.connect(rt)
		return
	case "restart":
		m.restart(rapid.IntRange(0, len(m.gateways)-1).Draw(rt, "gateway"))
		return
	case "flush":
		if err := m.rdb.FlushAll(m.t.Context()).Err(); err != nil {
			rt.Fatalf("FLUSHALL: %v", err)
		}
		return
	}
	if len(m.sessions) == 0 {
		return
	}
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(m.sessions))).Draw(rt, "session")
	s, room := m.sessions[id], rapid.Int64Range(1, 3).Draw(rt, "room")
	g := m.gateways[s.gateway]
	switch verb {
	case "enter":
		g.Enter(id, s.user, room)
		s.rooms[room]++
	case "leave":
		g.Leave(id, s.user, room)
		if s.rooms[room]--; s.rooms[room] <= 0 {
			delete(s.rooms, room)
		}
	case "status":
		s.status = rapid.SampledFrom([]string{"online", "away", "busy"}).Draw(rt, "status")
		g.SetStatus(id, s.user, s.status)
	case "disconnect":
		g.Disconnect(id, s.user)
		delete(m.sessions, id)
	}
}

func (m *machine) connect(rt *rapid.T) {
	m.made++
	id := fmt.Sprint("session ", m.made)
	s := &modelSession{
		gateway: rapid.IntRange(0, len(m.gateways)-1).Draw(rt, "gateway"),
		user:    rapid.SampledFrom([]string{"alice", "bob", "carol"}).Draw(rt, "user"),
		status:  "online",
		rooms:   map[int64]int{},
	}
	m.sessions[id] = s
	m.gateways[s.gateway].Connect(id, s.user)
}

// restart ends a gateway gracefully, with all its sessions, and puts a new one in its place.
func (m *machine) restart(i int) {
	m.gateways[i].stop(m.t)
	m.gateways[i] = runGateway(m.t, m.addr, quick)
	maps.DeleteFunc(m.sessions, func(_ string, s *modelSession) bool { return s.gateway == i })
}
