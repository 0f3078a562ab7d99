package presence_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
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

const (
	tick     = time.Second
	debounce = 3 * time.Second
	lease    = 10 * time.Second
	settling = 30 // ticks that are enough for a debounce, a lease, a grace, and another lease
)

// modelSession is what the model knows of a session.
type modelSession struct {
	gateway      int
	user, status string
	rooms        map[int64]int
	ended        time.Time // zero: it is still there
	written      bool      // its gateway was in step with Redis since
}

// modelGateway is one of the gateways; nil Stepper: it does not run.
type modelGateway struct {
	*presence.Stepper
	wire   *wire
	client *redis.Client
	frozen int // ticks for which it is stopped, and only it
}

// machine is the gateways, their Redis, and the model beside them.
type machine struct {
	t        *testing.T
	rt       *rapid.T     // draws what happens; nil when that is given
	order    func() []int // in which gateways have their beats
	fatalf   func(format string, args ...any)
	redis    *miniredis.Miniredis
	rdb      *redis.Client
	clock    time.Time
	gateways [3]*modelGateway
	sessions map[string]*modelSession
	made     int

	outage  int  // ticks for which nobody reaches Redis
	mourned int  // ticks since a gateway ended with users that only it knew
	cutOff  bool // a gateway may be silent for so long that it has to be thought dead
	unheard int  // ticks until an answer that was lost has been found again
	flushed bool
	spread  map[string]bool            // users on several gateways since all had settled
	last    map[string]presence.Change // what was told last, by user
	shown   map[string]bool            // users seen online in the keys since Redis was last emptied
	absent  int                        // ticks since then
}

// wire is a gateway's way to Redis, which may lose one call, or its answer, or all for a while.
type wire struct {
	m                       *machine
	loseRequest, loseAnswer bool
	loseReap                bool // the next answer of the script that clears a dead gateway away
}

var errWire = errors.New("lost on the wire")

func (*wire) DialHook(next redis.DialHook) redis.DialHook { return next }

func (w *wire) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if w.m.outage > 0 || w.loseRequest {
			w.loseRequest = false
			cmd.SetErr(errWire)
			return errWire
		}
		err := next(ctx, cmd)
		known := !redis.HasErrorPrefix(err, "NOSCRIPT")
		reaps := w.loseReap && known && cmd.Args()[1] == presence.ReapScript
		if known && w.loseAnswer || reaps {
			w.loseAnswer, w.loseReap, w.m.unheard = false, false, 2
			cmd.SetErr(errWire)
			return errWire
		}
		return err
	}
}

func (*wire) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

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
		for range rapid.IntRange(1, 80).Draw(rt, "steps") {
			m.step()
		}
		m.settle()
	})
}

// newMachine starts three gateways on an empty Redis.
func newMachine(t *testing.T, s *miniredis.Miniredis, rdb *redis.Client) *machine {
	t.Helper()
	m := &machine{
		t: t, fatalf: t.Fatalf, redis: s, rdb: rdb, clock: time.UnixMilli(1_763_900_000_000), mourned: settling,
		sessions: map[string]*modelSession{}, last: map[string]presence.Change{}, shown: map[string]bool{},
		spread: map[string]bool{},
	}
	for i := range m.gateways {
		m.start(i)
	}
	return m
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

// connectTo begins a session on a gateway and returns its id.
func (m *machine) connectTo(gateway int, user string) string {
	m.made++
	id := fmt.Sprint("session ", m.made)
	s := &modelSession{
		gateway: gateway, user: user, status: "online", rooms: map[int64]int{},
		written: m.outage > 0, // nobody is taken offline before all are back
	}
	for _, other := range m.sessions {
		m.spread[user] = m.spread[user] || other.user == user && other.gateway != s.gateway
	}
	m.sessions[id] = s
	m.gateways[s.gateway].Connect(id, user)
	m.turn(s.gateway, false)
	return id
}

// disconnect ends a session.
func (m *machine) disconnect(id string) {
	s := m.sessions[id]
	m.gateways[s.gateway].Disconnect(id, s.user)
	s.ended = m.clock
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

// start runs a new gateway.
func (m *machine) start(i int) {
	client := redis.NewClient(&redis.Options{Addr: m.redis.Addr(), MaxRetries: -1, ContextTimeoutEnabled: true})
	way := &wire{m: m}
	client.AddHook(way)
	opts := presence.Options{Debounce: debounce, LeaseTTL: lease, LeaseEvery: tick, Notify: m.hear}
	m.gateways[i] = &modelGateway{
		Stepper: presence.NewStepper(client, opts, func() time.Time { return m.clock }), wire: way, client: client,
	}
	m.turn(i, true)
}

// lose ends the sessions of a gateway that ends: they still count for a while where another one can see to it.
func (m *machine) lose(i int) {
	m.mourned = 0
	others := slices.ContainsFunc(m.gateways[:], func(g *modelGateway) bool {
		return g.Stepper != nil && g != m.gateways[i]
	})
	for _, s := range m.sessions {
		if s.gateway == i && s.ended.IsZero() {
			s.ended = m.clock
		}
	}
	if !others {
		clear(m.sessions) // the last one takes everybody with it
	}
}

// empty makes Redis forget, unless it alone knows something: of somebody's end, or of a change whose answer was lost.
func (m *machine) empty(forget func()) {
	if m.mourned < settling || m.unheard > 0 {
		return
	}
	forget()
	m.flushed = true
	m.absent = 0
	clear(m.shown)
}

// leap moves the clock of Redis forward, and only that one, but not in a grace, which would be cut short.
func (m *machine) leap(by time.Duration) {
	switch {
	case m.absent < settling || m.outage > 0:
	case by < 15*time.Minute:
		m.redis.FastForward(by)
	default:
		m.empty(func() { m.redis.FastForward(by) })
	}
}

func (m *machine) ticks(n int) {
	for range n {
		m.tick()
	}
}

// tick lets a second pass, in which every gateway has its beat.
func (m *machine) tick() {
	m.clock = m.clock.Add(tick)
	m.redis.FastForward(tick)
	m.redis.SetTime(m.clock)
	m.mourned++
	m.absent++
	for _, i := range m.order() {
		if g := m.gateways[i]; g.frozen > 0 {
			g.frozen--
		} else {
			m.turn(i, true)
		}
		m.look()
	}
	if m.outage > 0 {
		m.outage--
	} else if !slices.ContainsFunc(m.gateways[:], func(g *modelGateway) bool { return g.frozen > 0 }) {
		m.unheard--
	}
	maps.DeleteFunc(m.sessions, func(_ string, s *modelSession) bool { return !s.ended.IsZero() && !m.lingers(s) })
}

// turn runs a gateway's worker once.
func (m *machine) turn(i int, beat bool) {
	g := m.gateways[i]
	if g.Stepper == nil || g.frozen > 0 {
		return
	}
	g.Turn(m.t.Context(), beat)
	if g.Ready() == nil {
		for _, s := range m.sessions {
			s.written = s.written || s.gateway == i
		}
	}
}

// lingers says whether a session that is over still counts.
func (m *machine) lingers(s *modelSession) bool { return m.clock.Before(s.ended.Add(debounce)) }

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
