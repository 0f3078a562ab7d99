package presence_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fliliy/chat/gateway/internal/presence"
	"github.com/fliliy/chat/gateway/redistest"
)

// Many users are one round trip, so that a thousand reconnects are not a thousand commands.
func TestUsersTravelInBatches(t *testing.T) {
	t.Parallel()
	s := redistest.New(t)
	rdb := dial(t, s.Addr())
	client := dial(t, s.Addr())
	opts := presence.Options{LeaseTTL: time.Hour, RefreshEvery: time.Hour}
	a := &gateway{Presence: presence.New(client, opts), client: client, done: make(chan error, 1)}
	const users = 1000
	for i := range users {
		id := fmt.Sprint("user ", i)
		a.Connect(id, id)
		for room := range int64(5) {
			a.Enter(id, id, room+1)
		}
	}
	a.run(t)
	await(t, "all users are online", func() bool {
		return rdb.SCard(context.Background(), presence.OnlineUsersKey).Val() == users
	})
	if n := rdb.SCard(t.Context(), presence.RoomUsersKey(5)).Val(); n != users {
		t.Errorf("%d users in the room, want %d", n, users)
	}
	// The lease and a beat; and the three scripts are unknown to a fresh server: each is sent once more, whole.
	const most = 2 + (users+127)/128 + 3
	if n := scriptCalls(t, rdb); n > most {
		t.Errorf("%d script calls for %d users, want at most %d", n, users, most)
	}
}

// scriptCalls is how many EVAL and EVALSHA the server has seen.
func scriptCalls(t *testing.T, rdb *redis.Client) int {
	t.Helper()
	stats, err := rdb.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatalf("INFO commandstats: %v", err)
	}
	total := 0
	for line := range strings.Lines(stats) {
		var calls int
		name, rest, _ := strings.Cut(line, ":")
		if !strings.HasPrefix(name, "cmdstat_eval") {
			continue
		}
		if _, err := fmt.Sscanf(rest, "calls=%d", &calls); err != nil {
			t.Fatalf("commandstats line %q: %v", line, err)
		}
		total += calls
	}
	return total
}

func TestManyGoroutines(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		rdb := dial(t, s.Addr())
		a, b := runGateway(t, s.Addr(), quick), runGateway(t, s.Addr(), quick)
		var group sync.WaitGroup
		for i := range 16 {
			group.Go(func() {
				g, user, id := []*gateway{a, b}[i%2], fmt.Sprint("user ", i%4), fmt.Sprint("session ", i)
				for range 50 {
					g.Connect(id, user)
					g.Enter(id, user, 1)
					g.SetStatus(id, user, "busy")
					g.Leave(id, user, 1)
					g.Disconnect(id, user)
				}
			})
		}
		group.Wait()
		a.settle(t, rdb)
		b.settle(t, rdb)
		wantKeys(t, rdb, keys{})
	})
}

func TestRunRefusesClientsThatSpreadKeys(t *testing.T) {
	t.Parallel()
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}})
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"one": "127.0.0.1:1"}})
	for name, client := range map[string]redis.UniversalClient{"cluster": cluster, "ring": ring} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(func() { _ = client.Close() })
			err := presence.New(client, presence.Options{}).Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), "Sentinel") {
				t.Errorf("Run = %v, want an error that says what to use instead", err)
			}
		})
	}
}

func TestDialRefusesWhatIsNoRedisURL(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "localhost:6379", "http://localhost", "redis://localhost/no-number"} {
		if _, err := presence.Dial(url, nil); err == nil || !strings.Contains(err.Error(), "redis://") {
			t.Errorf("Dial(%q) = %v, want an error that shows the form of a URL", url, err)
		}
	}
}
