package presence_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/fliliy/chat/gateway/internal/presence"
)

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
		if err != nil && known {
			w.m.unheard = 2 // the machine was too busy to answer in time
		}
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
