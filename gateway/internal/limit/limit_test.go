package limit_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/limit"
)

const home = "192.0.2.7:4711"

// enter lets a session in that must be let in.
func enter(t *testing.T, l *limit.Limits, user, remote string) *limit.Session {
	t.Helper()
	s, refused := l.Enter(user, remote)
	if refused != nil {
		t.Fatalf("Enter(%s) = %v", user, refused)
	}
	return s
}

// sends counts how many SENDs pass until one is refused, and returns the refusal.
func sends(s *limit.Session) (passed int, refused *event.Error) {
	for passed < 10_000 {
		if refused = s.Send(); refused != nil {
			return passed, refused
		}
		passed++
	}
	return passed, nil
}

// RELIABILITY row 32: by session, by user, by address; what is refused says when to try again, and then it passes.
func TestThreat32Rates(t *testing.T) {
	t.Parallel()
	rate := limit.Rates{limit.Send: {PerSecond: 10, Burst: 20}}
	for name, c := range map[string]struct {
		cfg   limit.Config
		other [2]string // user and address of a second session that shares what is used up
		free  [2]string // and of one that does not
	}{
		"session": {limit.Config{Session: rate}, [2]string{}, [2]string{"alice", home}},
		"user":    {limit.Config{User: rate}, [2]string{"alice", "198.51.100.1:1"}, [2]string{"bob", home}},
		"address": {limit.Config{Address: rate}, [2]string{"bob", home}, [2]string{"alice", "198.51.100.1:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := limit.New(c.cfg, limit.Options{})
				s := enter(t, l, "alice", home)
				passed, refused := sends(s)
				if passed != 20 || refused == nil || refused.Code != event.RateLimited || refused.RetryAfter != 100*time.Millisecond {
					t.Fatalf("%d passed, then %v after %v; want 20, then RATE_LIMITED for 100ms", passed, refused, refused.RetryAfter)
				}
				if c.other[0] != "" {
					if got, _ := sends(enter(t, l, c.other[0], c.other[1])); got != 0 {
						t.Errorf("%v still has %d", c.other, got)
					}
				}
				if got, _ := sends(enter(t, l, c.free[0], c.free[1])); got != 20 {
					t.Errorf("%v has %d, want 20", c.free, got)
				}
				<-time.After(refused.RetryAfter)
				if got, _ := sends(s); got != 1 {
					t.Errorf("%d pass after the time that was told, want 1", got)
				}
				<-time.After(time.Hour)
				if got, _ := sends(s); got != 20 {
					t.Errorf("%d pass after an hour, want 20", got)
				}
			})
		})
	}
}

func TestNoLimits(t *testing.T) {
	t.Parallel()
	l := limit.New(limit.Config{}, limit.Options{})
	if passed, refused := sends(enter(t, l, "alice", "no address")); refused != nil {
		t.Errorf("refused after %d: %v", passed, refused)
	}
}

// What is refused is taken of nobody: a session over its own limit does not use up its user's.
func TestRefusalCostsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(limit.Config{
			Session: limit.Rates{limit.Subscribe: {PerSecond: 1, Burst: 1}},
			User:    limit.Rates{limit.Subscribe: {PerSecond: 1, Burst: 2}},
		}, limit.Options{})
		first, second := enter(t, l, "alice", home), enter(t, l, "alice", home)
		for n := range 5 {
			if refused := first.Subscribe(); (refused == nil) != (n == 0) {
				t.Fatalf("SUBSCRIBE %d: %v", n, refused)
			}
		}
		if refused := second.Subscribe(); refused != nil {
			t.Errorf("the other session: %v", refused)
		}
	})
}

func TestAbuse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(limit.Config{Strikes: limit.Rate{PerSecond: 1, Burst: 3}}, limit.Options{})
		s := enter(t, l, "alice", home)
		for n := range 4 {
			if got := s.Abusive(); got != (n == 3) {
				t.Errorf("refusal %d: abusive %v", n+1, got)
			}
		}
	})
}

func TestConnections(t *testing.T) {
	t.Parallel()
	l := limit.New(limit.Config{Connections: 3, ConnectionsPerAddress: 2}, limit.Options{})
	const other, third = "198.51.100.1:1", "198.51.100.2:1"
	closed, refused := l.Open(home)
	if refused != nil {
		t.Fatal(refused)
	}
	if _, refused := l.Open("192.0.2.7:4712"); refused != nil {
		t.Fatal(refused)
	}
	wanted(t, l, home, event.RateLimited)
	if _, refused := l.Open(other); refused != nil {
		t.Fatal(refused)
	}
	wanted(t, l, third, event.Unavailable)
	closed()
	wanted(t, l, third, "")
	wanted(t, l, home, "")
}

// wanted asks for a connection, before and after the upgrade.
func wanted(t *testing.T, l *limit.Limits, remote string, want event.Code) {
	t.Helper()
	closed, opened := l.Open(remote)
	if opened == nil {
		closed()
	}
	for _, refused := range []*event.Error{l.Admit(remote), opened} {
		got := event.Code("")
		if refused != nil {
			got = refused.Code
			if refused.RetryAfter <= 0 {
				t.Errorf("%s: %v without a time to try again", remote, refused)
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", remote, got, want)
		}
	}
}

func TestConnectionsOfAUser(t *testing.T) {
	t.Parallel()
	l := limit.New(limit.Config{ConnectionsPerUser: 1}, limit.Options{})
	s := enter(t, l, "alice", home)
	if _, refused := l.Enter("alice", home); refused == nil || refused.Code != event.RateLimited {
		t.Errorf("a second session: %v, want RATE_LIMITED", refused)
	}
	enter(t, l, "bob", home)
	s.Leave()
	enter(t, l, "alice", home)
}

// RELIABILITY row 38: who floods opens few connections afterwards, and gets over it.
func TestThreat38Floods(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(limit.Config{Address: limit.Rates{limit.Connect: {PerSecond: 100, Burst: 1000}}}, limit.Options{})
		floods := 0
		for range 100 {
			if l.Admit(home) != nil {
				break
			}
			l.Flooded(home)
			floods++
		}
		if floods < 10 || floods > 30 {
			t.Errorf("%d floods at once, want about 20", floods)
		}
		if refused := l.Admit("198.51.100.1:1"); refused != nil {
			t.Errorf("another address: %v", refused)
		}
		l.Flooded("no address")
		<-time.After(10 * time.Second)
		if refused := l.Admit(home); refused != nil {
			t.Errorf("ten seconds later: %v", refused)
		}
	})
}

// RELIABILITY row 33: who shows bad tokens is refused before the next one is looked at; others are not.
func TestThreat33Guesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(limit.Config{Address: limit.Rates{limit.BadToken: {PerSecond: 1, Burst: 30}}}, limit.Options{})
		for n := range 1000 {
			if refused := l.Guesses(home); (refused == nil) != (n < 30) {
				t.Fatalf("guess %d: %v", n, refused)
			} else if refused == nil {
				l.Guessed(home)
			}
		}
		if refused := l.Guesses("198.51.100.1:1"); refused != nil {
			t.Errorf("another address: %v", refused)
		}
		<-time.After(time.Second)
		if refused := l.Guesses(home); refused != nil {
			t.Errorf("a second later: %v", refused)
		}
	})
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.7:1": "192.0.2.7", "192.0.2.7": "192.0.2.7", "[::ffff:192.0.2.7]:1": "192.0.2.7",
		"[2001:db8::1]:1": "2001:db8::/64", "2001:db8::ffff": "2001:db8::/64", "fe80::1%eth0": "fe80::/64",
		"": "", "pipe": "", "192.0.2.7:x": "",
	} {
		if got := limit.Address(remote); got != want {
			t.Errorf("Address(%q) = %q, want %q", remote, got, want)
		}
	}
}

// counters plays Redis within a bubble, where no network can be waited for: what IncrBy of a pipeline does.
type counters struct {
	mu   sync.Mutex
	down bool
	all  map[string]int64
}

func (c *counters) DialHook(redis.DialHook) redis.DialHook {
	return func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("there is no network") }
}

func (c *counters) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (c *counters) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(_ context.Context, commands []redis.Cmder) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, command := range commands {
			if c.down {
				command.SetErr(errors.New("redis is away"))
			} else if add, ok := command.(*redis.IntCmd); ok {
				c.all[add.Args()[1].(string)] += add.Args()[2].(int64)
				add.SetVal(c.all[add.Args()[1].(string)])
			}
		}
		return commands[0].Err()
	}
}

// node is a session of a user on a gateway of its own.
func node(ctx context.Context, t *testing.T, client *redis.Client, cfg limit.Config, user string) *limit.Session {
	t.Helper()
	l := limit.New(cfg, limit.Options{Redis: client})
	go func() { _ = l.Run(ctx) }()
	return enter(t, l, user, home)
}

// RELIABILITY row 32: a user who sends as fast as it goes through two gateways gets her rate, give or take a fifth, and
// so does a room that two users send to; when Redis is away, they get it of each.
func TestThreat32SharedOverGateways(t *testing.T) {
	t.Parallel()
	rate := limit.Rate{PerSecond: 50, Burst: 100}
	user, crowded := limit.Config{User: limit.Rates{limit.Send: rate}}, limit.Config{Room: rate}
	for name, c := range map[string]struct {
		cfg    limit.Config
		second string
		take   func(*limit.Session) bool
		away   bool
		want   float64
	}{
		"shared":                 {user, "alice", takeSend, false, 50},
		"redis away":             {user, "alice", takeSend, true, 100},
		"a room":                 {crowded, "bob", takeRoom, false, 50},
		"a room, and redis away": {crowded, "bob", takeRoom, true, 100},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				client := redis.NewClient(&redis.Options{Addr: "192.0.2.1:1"})
				defer func() { _ = client.Close() }()
				client.AddHook(&counters{down: c.away, all: map[string]int64{}})
				first, second := node(ctx, t, client, c.cfg, "alice"), node(ctx, t, client, c.cfg, c.second)
				const seconds, perSecond = 100, 100
				passed := 0
				for range seconds * perSecond {
					for _, s := range []*limit.Session{first, second} {
						for c.take(s) {
							passed++
						}
					}
					<-time.After(time.Second / perSecond)
				}
				if got := float64(passed) / seconds; got < c.want*0.8 || got > c.want*1.2 {
					t.Errorf("%.1f a second over two gateways, want %.0f", got, c.want)
				}
			})
		})
	}
}

// The same on a Redis server: what one gateway has let pass is missing on the other.
func TestSharedInRedis(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = client.Close() })
	cfg := limit.Config{User: limit.Rates{limit.Send: {PerSecond: 0.001, Burst: 10_000}}}
	first, second := node(t.Context(), t, client, cfg, "alice"), node(t.Context(), t, client, cfg, "alice")
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	const key = "fliliy:limit:send:alice"
	for second.Send(); !server.Exists(key); <-poll.C { //nolint:errcheck // the first one passes
	}
	if life := server.TTL(key); life <= 0 {
		t.Errorf("the counter lives for %v", life)
	}
	for range 9_990 {
		if refused := first.Send(); refused != nil {
			t.Fatal(refused)
		}
	}
	passed := 0
	for ; passed < 9_000 && second.Send() == nil; passed++ {
		<-poll.C
	}
	if passed == 9_000 {
		t.Error("what the first gateway let pass is not missing on the second")
	}
}

// A message within its limits allocates nothing.
func TestSendAllocatesNothing(t *testing.T) {
	rate := limit.Rates{limit.Send: {PerSecond: 1e6, Burst: 1e6}}
	s := enter(t, limit.New(limit.Config{Session: rate, User: rate, Address: rate}, limit.Options{}), "alice", home)
	if got := testing.AllocsPerRun(1000, func() { _ = s.Send() }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
