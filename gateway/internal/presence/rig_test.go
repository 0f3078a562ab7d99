package presence_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/fliliy/chat/gateway/internal/presence"
	"github.com/fliliy/chat/gateway/redistest"
)

// server is a Redis that a test may hurt.
type server interface {
	Addr() string
	Kill()
	Restart() error // empty, on the same port
}

// real is a redis-server.
type real struct{ *redistest.Server }

// mini is a miniredis. It has no clock that lets keys expire, so one is made for it.
type mini struct {
	*miniredis.Miniredis
	addr string // which it forgets while it is down
}

func (m mini) Addr() string { return m.addr }
func (m mini) Kill()        { m.Close() }
func (m mini) Restart() error {
	m.FlushAll()
	return m.Miniredis.Restart()
}

// onEachServer runs a test on both kinds of Redis, each with a fresh server.
func onEachServer(t *testing.T, test func(t *testing.T, s server)) {
	t.Helper()
	t.Run("miniredis", func(t *testing.T) {
		t.Parallel()
		m := miniredis.RunT(t)
		go expireKeys(t.Context(), m)
		test(t, mini{Miniredis: m, addr: m.Addr()})
	})
	t.Run("redis-server", func(t *testing.T) {
		t.Parallel()
		test(t, real{redistest.New(t)})
	})
}

// expireKeys lets time pass for a miniredis as it does for us.
func expireKeys(ctx context.Context, m *miniredis.Miniredis) {
	clock := time.NewTicker(10 * time.Millisecond)
	defer clock.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case now := <-clock.C:
			m.FastForward(now.Sub(last))
			last = now
		}
	}
}

func dial(t testing.TB, addr string) *redis.Client {
	t.Helper()
	client, err := presence.Dial("redis://"+addr, nil)
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// gateway is a running Presence.
type gateway struct {
	*presence.Presence
	client *redis.Client
	cancel context.CancelFunc
	done   chan error
}

// quick notices trouble soon, waits for nobody to come back, and renews nothing unless asked to.
var quick = presence.Options{
	Debounce: -1, LeaseTTL: 2 * time.Second, LeaseEvery: 20 * time.Millisecond, RefreshEvery: time.Hour,
}

func runGateway(t testing.TB, addr string, opts presence.Options) *gateway {
	t.Helper()
	client := dial(t, addr)
	g := &gateway{Presence: presence.New(client, opts), client: client, done: make(chan error, 1)}
	g.run(t)
	return g
}

func (g *gateway) run(t testing.TB) {
	ctx, cancel := context.WithCancel(context.Background())
	g.cancel = cancel
	go func() { g.done <- g.Run(ctx) }()
	t.Cleanup(func() { g.stop(t) })
}

// stop ends Run gracefully; again it does nothing.
func (g *gateway) stop(t testing.TB) {
	t.Helper()
	g.cancel()
	if err, first := <-g.done; first {
		close(g.done)
		if err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// crash ends the gateway without a word to Redis.
func (g *gateway) crash(t testing.TB) {
	t.Helper()
	_ = g.client.Close()
	g.stop(t)
}

// settle returns once the gateway has written all that was asked of it before: its worker keeps the order, so a user
// who comes last is seen last, and has gone last.
func (g *gateway) settle(t testing.TB, rdb *redis.Client) {
	t.Helper()
	const marker = "settle marker"
	g.Connect(marker, marker)
	await(t, "the marker is online", func() bool { return isOnline(t, rdb, marker) })
	g.Disconnect(marker, marker)
	await(t, "the marker is offline", func() bool { return !isOnline(t, rdb, marker) })
}

func isOnline(t testing.TB, rdb *redis.Client, user string) bool {
	t.Helper()
	online, err := rdb.SIsMember(context.Background(), presence.OnlineUsersKey, user).Result()
	return err == nil && online
}

// await polls until a condition holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for !holds() {
		select {
		case <-poll.C:
		case <-deadline.C:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// keys is all that operators see: each key of the contract with its value, a set's members sorted and joined by "|".
type keys map[string]string

func readKeys(t testing.TB, rdb *redis.Client) keys {
	t.Helper()
	ctx := context.Background()
	names, err := rdb.Keys(ctx, "websocket:*").Result()
	if err != nil {
		t.Fatalf("list keys: %v", err)
	}
	found := keys{}
	for _, name := range names {
		switch kind := rdb.Type(ctx, name).Val(); kind {
		case "string":
			found[name] = rdb.Get(ctx, name).Val()
		case "set":
			members := rdb.SMembers(ctx, name).Val()
			slices.Sort(members)
			found[name] = strings.Join(members, "|")
		default:
			found[name] = "a " + kind
		}
	}
	return found
}

func wantKeys(t testing.TB, rdb *redis.Client, want keys) {
	t.Helper()
	if diff := cmp.Diff(want, readKeys(t, rdb)); diff != "" {
		t.Fatalf("keys in Redis differ (-want +got):\n%s", diff)
	}
}

// awaitKeys is wantKeys for what nothing announces, such as a rebuild.
func awaitKeys(t testing.TB, rdb *redis.Client, want keys) {
	t.Helper()
	var got keys
	defer func() {
		if t.Failed() {
			t.Logf("keys in Redis differ (-want +got):\n%s", cmp.Diff(want, got))
		}
	}()
	await(t, "the keys in Redis are as wanted", func() bool {
		got = readKeys(t, rdb)
		return cmp.Equal(want, got)
	})
}
