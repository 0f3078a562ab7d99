package presence_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fliliy/chat/gateway/internal/presence"
	"github.com/fliliy/chat/gateway/redistest"
)

// calls is what the server has counted: commands that clients sent, and those that scripts ran for them.
type calls struct{ sent, within int }

func countCalls(t *testing.T, rdb *redis.Client) (count calls) {
	t.Helper()
	stats, err := rdb.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatalf("INFO commandstats: %v", err)
	}
	for line := range strings.Lines(stats) {
		var n int
		name, rest, found := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":")
		if !found {
			continue
		}
		if _, err := fmt.Sscanf(rest, "calls=%d", &n); err != nil {
			t.Fatalf("commandstats line %q: %v", line, err)
		}
		switch {
		case strings.HasPrefix(name, "eval"):
			count.sent += n
		case name != "info" && !strings.HasPrefix(name, "config"):
			count.within += n
		}
	}
	return count
}

// stepper is a gateway on a real server, driven by hand.
func newStepper(t *testing.T, s *redistest.Server, opts presence.Options) *presence.Stepper {
	t.Helper()
	return presence.NewStepper(dial(t, s.Addr()), opts, time.Now)
}

// TestRefreshOfManySessionsIsCheap: in one round of renewals, which is 14 minutes, every key of 10,000 sessions is
// renewed, with at most 100 commands a second: those sent are far fewer, and even with those that scripts run.
func TestRefreshOfManySessionsIsCheap(t *testing.T) {
	t.Parallel()
	s := redistest.New(t)
	rdb := dial(t, s.Addr())
	g := newStepper(t, s, presence.Options{})
	const users = 10_000
	for i := range users {
		id := fmt.Sprint("user ", i)
		g.Connect(id, id)
		g.Enter(id, id, int64(i/2+1)) // a room of a buyer and a seller
	}
	g.Turn(t.Context(), true)
	await(t, "nothing is held back any more", func() bool { return rdb.Exists(t.Context(), presence.GraceKey).Val() == 0 })
	g.Turn(t.Context(), true)
	keys := append(rdb.Keys(t.Context(), "websocket:*").Val(), rdb.Keys(t.Context(), presence.RecordKey("*")).Val()...)
	age(t, rdb, keys)
	if err := rdb.ConfigResetStat(t.Context()).Err(); err != nil {
		t.Fatalf("CONFIG RESETSTAT: %v", err)
	}

	const seconds = 14 * 60
	for range seconds {
		g.Turn(t.Context(), true)
	}
	count := countCalls(t, rdb)
	t.Logf("%d sessions, %d s: %.2f commands/s sent, %.1f/s with those within scripts",
		users, seconds, float64(count.sent)/seconds, float64(count.sent+count.within)/seconds)
	if count.sent+count.within > 100*seconds {
		t.Errorf("%d commands sent, and %d within scripts, in %d s: more than 100 a second", count.sent, count.within, seconds)
	}
	for i, ttl := range ttls(t, rdb, keys) {
		if ttl < 29*time.Minute {
			t.Fatalf("%s of %d keys lives for %v after a round, want 30m", keys[i], len(keys), ttl)
		}
	}
}

// age shortens the lives of keys.
func age(t *testing.T, rdb *redis.Client, keys []string) {
	t.Helper()
	_, err := rdb.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
		for _, key := range keys {
			pipe.Expire(t.Context(), key, 20*time.Minute)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("EXPIRE: %v", err)
	}
}

func ttls(t *testing.T, rdb *redis.Client, keys []string) []time.Duration {
	t.Helper()
	found := make([]*redis.DurationCmd, len(keys))
	_, err := rdb.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
		for i, key := range keys {
			found[i] = pipe.TTL(t.Context(), key)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("TTL: %v", err)
	}
	lives := make([]time.Duration, len(keys))
	for i, cmd := range found {
		lives[i] = cmd.Val()
	}
	return lives
}

// TestSessionsCostNoRoundTrip: what sessions call touches memory only, on no goroutine but their own.
func TestSessionsCostNoRoundTrip(t *testing.T) {
	t.Parallel()
	s := redistest.New(t)
	rdb := dial(t, s.Addr())
	g := newStepper(t, s, presence.Options{Debounce: -1})
	for i := range 1000 {
		id := fmt.Sprint("user ", i)
		g.Connect(id, id)
		g.Enter(id, id, 1)
		g.SetStatus(id, id, "busy")
		g.Leave(id, id, 1)
		g.Disconnect(id, id)
	}
	if count := countCalls(t, rdb); count.sent != 0 {
		t.Errorf("%d commands sent by 5,000 calls of sessions, want none before the worker has its turn", count.sent)
	}
}
