package presence_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fliliy/chat/gateway/internal/presence"
	"github.com/fliliy/chat/gateway/redistest"
)

// aliceAndBob puts alice on both gateways and bob on the second, and returns what operators then see.
func aliceAndBob(a, b *gateway) keys {
	a.Connect("s1", "alice")
	a.Enter("s1", "alice", 1)
	b.Connect("s2", "alice")
	b.Enter("s2", "alice", 2)
	b.Connect("s3", "bob")
	b.Enter("s3", "bob", 2)
	b.SetStatus("s3", "bob", "away")
	return keys{
		"websocket:online_users": "alice|bob", "websocket:user:status:alice": "online",
		"websocket:user:status:bob": "away", "websocket:chatroom:users:1": "alice",
		"websocket:chatroom:users:2": "alice|bob", "websocket:user:chatrooms:alice": "1|2",
		"websocket:user:chatrooms:bob": "2",
	}
}

// onlyAliceOnB is what remains of it when the first gateway and bob have gone.
var onlyAliceOnB = keys{
	"websocket:online_users": "alice", "websocket:user:status:alice": "online",
	"websocket:chatroom:users:2": "alice", "websocket:user:chatrooms:alice": "2",
}

func TestGracefulStopTakesItsSessionsOffline(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		rdb := dial(t, s.Addr())
		a, b := runGateway(t, s.Addr(), quick), runGateway(t, s.Addr(), quick)
		aliceAndBob(a, b)
		b.Disconnect("s3", "bob")
		a.settle(t, rdb)
		b.settle(t, rdb)
		a.stop(t)
		awaitKeys(t, rdb, onlyAliceOnB)
		a.Connect("s9", "too late")
		b.settle(t, rdb)
		wantKeys(t, rdb, onlyAliceOnB)
		if n := rdb.SCard(t.Context(), presence.GatewaysKey).Val(); n != 1 {
			t.Errorf("%d gateways known after one of two stopped, want 1", n)
		}
	})
}

func TestRedisRestartsEmpty(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		rdb := dial(t, s.Addr())
		a, b := runGateway(t, s.Addr(), quick), runGateway(t, s.Addr(), quick)
		want := aliceAndBob(a, b)
		a.Connect("s4", "carol")
		awaitReady(t, a, b)

		s.Kill()
		await(t, "both gateways say that they are degraded", func() bool { return a.Ready() != nil && b.Ready() != nil })
		if text := a.Ready().Error(); !strings.Contains(text, "chat goes on") || !strings.Contains(text, "Redis") {
			t.Errorf("Ready() = %q, want what is wrong and what it means", text)
		}
		a.Disconnect("s4", "carol")
		for i := range 1000 { // while Redis is away, who comes and goes leaves nothing behind
			id := fmt.Sprint("passer-by ", i)
			b.Connect(id, id)
			b.Enter(id, id, 2)
			b.Disconnect(id, id)
		}
		a.Connect("s5", "dave")
		a.Enter("s5", "dave", 3)
		if err := s.Restart(); err != nil {
			t.Fatalf("restart Redis: %v", err)
		}

		want["websocket:online_users"] = "alice|bob|dave"
		want["websocket:user:status:dave"] = "online"
		want["websocket:chatroom:users:3"] = "dave"
		want["websocket:user:chatrooms:dave"] = "3"
		awaitKeys(t, rdb, want)
		awaitReady(t, a, b)
		a.settle(t, rdb)
		b.settle(t, rdb)
		wantKeys(t, rdb, want)
	})
}

func TestRedisIsAwayAtTheStart(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		s.Kill()
		a, b := runGateway(t, s.Addr(), quick), runGateway(t, s.Addr(), quick)
		want := aliceAndBob(a, b)
		await(t, "the gateway has tried", func() bool {
			return a.Ready() != nil && strings.Contains(a.Ready().Error(), "degraded")
		})
		if err := s.Restart(); err != nil {
			t.Fatalf("restart Redis: %v", err)
		}
		awaitKeys(t, dial(t, s.Addr()), want)
	})
}

func TestFlushAllIsRepaired(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		rdb := dial(t, s.Addr())
		a, b := runGateway(t, s.Addr(), quick), runGateway(t, s.Addr(), quick)
		want := aliceAndBob(a, b)
		for range 5 {
			awaitKeys(t, rdb, want)
			if err := rdb.FlushAll(t.Context()).Err(); err != nil {
				t.Fatalf("FLUSHALL: %v", err)
			}
		}
		awaitKeys(t, rdb, want)
	})
}

// An old snapshot, or a replica that lagged, brings back what has changed since: it must neither stay nor win.
func TestRedisComesBackWithThePast(t *testing.T) {
	t.Parallel()
	s := redistest.New(t)
	rdb := dial(t, s.Addr())
	a := runGateway(t, s.Addr(), quick)
	a.Connect("s1", "alice")
	a.Enter("s1", "alice", 1)
	a.Connect("s2", "bob")
	a.settle(t, rdb)
	past := snapshot(t, rdb)

	a.Disconnect("s2", "bob")
	a.Leave("s1", "alice", 1)
	a.Enter("s1", "alice", 2)
	a.settle(t, rdb)
	restore(t, rdb, past)
	awaitKeys(t, rdb, keys{
		"websocket:online_users": "alice", "websocket:user:status:alice": "online",
		"websocket:chatroom:users:2": "alice", "websocket:user:chatrooms:alice": "2",
	})
}

// snapshot is every key as DUMP gives it.
func snapshot(t *testing.T, rdb *redis.Client) map[string]string {
	t.Helper()
	dump := map[string]string{}
	for _, name := range rdb.Keys(t.Context(), "*").Val() {
		value, err := rdb.Dump(t.Context(), name).Result()
		switch {
		case err == nil:
			dump[name] = value
		case !errors.Is(err, redis.Nil): // nil: its time was over since it was listed
			t.Fatalf("DUMP %s: %v", name, err)
		}
	}
	return dump
}

func restore(t *testing.T, rdb *redis.Client, dump map[string]string) {
	t.Helper()
	_, err := rdb.TxPipelined(t.Context(), func(pipe redis.Pipeliner) error {
		pipe.FlushAll(t.Context())
		for name, value := range dump {
			pipe.Restore(t.Context(), name, time.Minute, value)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("restore: %v", err)
	}
}

// A gateway that died has no say once its lease is over.
func TestCrashedGatewayCountsNoMore(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		rdb := dial(t, s.Addr())
		a, b := runGateway(t, s.Addr(), quick), runGateway(t, s.Addr(), quick)
		aliceAndBob(a, b)
		b.Disconnect("s3", "bob")
		a.settle(t, rdb)
		b.settle(t, rdb)
		a.crash(t)
		awaitKeys(t, rdb, onlyAliceOnB)
	})
}

// A gateway that was only slow lost its say too, and takes it back.
func TestLapsedLeaseIsTakenAgain(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		rdb := dial(t, s.Addr())
		a, b := runGateway(t, s.Addr(), quick), runGateway(t, s.Addr(), quick)
		want := aliceAndBob(a, b)
		a.settle(t, rdb)
		b.settle(t, rdb)
		for _, name := range rdb.Keys(t.Context(), presence.LeaseKey("*")).Val() {
			if err := rdb.Del(t.Context(), name).Err(); err != nil {
				t.Fatalf("DEL %s: %v", name, err)
			}
		}
		b.Enter("s2", "alice", 1) // the record of the first gateway does not count in this write
		b.Leave("s2", "alice", 1)
		a.settle(t, rdb)
		b.settle(t, rdb)
		awaitKeys(t, rdb, want)
	})
}

// Redis takes connections and commands but answers nothing: no method may wait for it, or this test never ends.
func TestBlackHole(t *testing.T) {
	t.Parallel()
	s := redistest.New(t)
	rdb := dial(t, s.Addr())
	a, b := runGateway(t, s.Addr(), quick), runGateway(t, s.Addr(), quick)
	awaitReady(t, a, b)
	if err := syscall.Kill(s.Pid(), syscall.SIGSTOP); err != nil {
		t.Fatalf("stop redis-server: %v", err)
	}
	want := aliceAndBob(a, b)
	await(t, "both gateways say that they are degraded", func() bool { return a.Ready() != nil && b.Ready() != nil })
	if err := syscall.Kill(s.Pid(), syscall.SIGCONT); err != nil {
		t.Fatalf("continue redis-server: %v", err)
	}
	awaitKeys(t, rdb, want)
	awaitReady(t, a, b)
}

// What an operator deletes is written again in the next round of renewals.
func TestDeletedKeysAreWrittenAgain(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		rdb := dial(t, s.Addr())
		opts := quick
		opts.RefreshEvery = 20 * time.Millisecond
		a, b := runGateway(t, s.Addr(), opts), runGateway(t, s.Addr(), opts)
		want := aliceAndBob(a, b)
		awaitKeys(t, rdb, want)
		for _, name := range []string{
			presence.OnlineUsersKey, presence.StatusKey("alice"), presence.RecordKey("alice"), presence.GatewaysKey,
			presence.UserRoomsKey("alice"), presence.RoomUsersKey(1),
		} {
			if err := rdb.Del(t.Context(), name).Err(); err != nil {
				t.Fatalf("DEL %s: %v", name, err)
			}
			await(t, name+" is back", func() bool { return rdb.Exists(context.Background(), name).Val() == 1 })
			awaitKeys(t, rdb, want)
		}
	})
}

func TestEverythingExpiresUnlessRenewed(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		rdb := dial(t, s.Addr())
		opts := quick
		opts.RefreshEvery = 20 * time.Millisecond
		a := runGateway(t, s.Addr(), opts)
		a.Connect("s1", "alice")
		a.Enter("s1", "alice", 1)
		a.settle(t, rdb)
		for name, most := range map[string]time.Duration{
			"websocket:online_users": 30 * time.Minute, "websocket:user:status:alice": 30 * time.Minute,
			"websocket:chatroom:users:1": 30 * time.Minute, "websocket:user:chatrooms:alice": 30 * time.Minute,
			presence.RecordKey("alice"): 30 * time.Minute, presence.GatewaysKey: 30 * time.Minute,
		} {
			if ttl := rdb.TTL(t.Context(), name).Val(); ttl <= most-time.Minute || ttl > most {
				t.Errorf("TTL %s = %v, want up to %v", name, ttl, most)
			}
			if err := rdb.Expire(t.Context(), name, 20*time.Second).Err(); err != nil {
				t.Fatalf("EXPIRE %s: %v", name, err)
			}
			await(t, name+" is renewed", func() bool {
				return rdb.TTL(context.Background(), name).Val() > most-time.Minute
			})
		}
		const seen = 30 * 24 * time.Hour
		if ttl := rdb.TTL(t.Context(), presence.SeenKey("alice")).Val(); ttl <= seen-time.Hour || ttl > seen {
			t.Errorf("when alice was last seen is kept for %v, want %v", ttl, seen)
		}
		for _, name := range rdb.Keys(t.Context(), "*").Val() {
			if ttl := rdb.PTTL(t.Context(), name).Val(); ttl == -1 { // -2: gone meanwhile
				t.Errorf("%s never expires", name)
			}
		}
	})
}

func awaitReady(t *testing.T, gateways ...*gateway) {
	t.Helper()
	for _, g := range gateways {
		await(t, "the gateway is in step with Redis", func() bool { return g.Ready() == nil })
	}
}
