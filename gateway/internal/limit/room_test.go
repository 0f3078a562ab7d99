package limit_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/fliliy/chat/gateway/internal/limit"
	"github.com/fliliy/chat/gateway/internal/metrics"
)

func takeSend(s *limit.Session) bool { return s.Send() == nil }
func takeRoom(s *limit.Session) bool { return s.Room(42) == 0 }

// messages counts how many messages a room takes until it has to wait, and returns for how long.
func messages(s *limit.Session, room int64) (passed int, wait time.Duration) {
	for ; passed < 10_000; passed++ {
		if wait = s.Room(room); wait > 0 {
			return passed, wait
		}
	}
	return passed, 0
}

// RELIABILITY row 32: a room has one rate, whoever sends to it; others have theirs.
func TestThreat32RoomRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(limit.Config{Room: limit.Rate{PerSecond: 10, Burst: 20}}, limit.Options{})
		alice, bob := enter(t, l, "alice", home), enter(t, l, "bob", home)
		if passed, wait := messages(alice, 42); passed != 20 || wait != 100*time.Millisecond {
			t.Fatalf("%d passed, then a wait of %v; want 20, then 100ms", passed, wait)
		}
		if passed, _ := messages(bob, 42); passed != 0 {
			t.Errorf("%d of another user passed, want none", passed)
		}
		if passed, _ := messages(bob, 43); passed != 20 {
			t.Errorf("%d passed to another room, want 20", passed)
		}
		<-time.After(100 * time.Millisecond)
		if passed, _ := messages(bob, 42); passed != 1 {
			t.Errorf("%d pass after the time that was told, want 1", passed)
		}
		alice.Leave()
		for range 3 {
			alice.RoomBack(42)
		}
		if passed, _ := messages(bob, 42); passed != 3 {
			t.Errorf("%d pass after 3 were given back, want 3", passed)
		}
		<-time.After(time.Hour)
		alice.RoomBack(42)
		if passed, _ := messages(bob, 42); passed != 20 {
			t.Errorf("%d pass after an hour, want 20: what is given back is no more than the burst", passed)
		}
	})
}

func TestNoRoomRate(t *testing.T) {
	t.Parallel()
	s := enter(t, limit.New(limit.Config{}, limit.Options{}), "alice", home)
	s.RoomBack(42)
	if passed, wait := messages(s, 42); wait > 0 {
		t.Errorf("a wait of %v after %d messages, without a rate", wait, passed)
	}
}

func TestRoomRefusedIsCounted(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	counts := metrics.New(registry)
	s := enter(t, limit.New(limit.Config{}, limit.Options{Metrics: counts}), "alice", home)
	s.RoomRefused()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if labels := m.GetLabel(); len(labels) == 1 && labels[0].GetValue() == "room_send" && m.GetCounter().GetValue() == 1 {
				return
			}
		}
	}
	t.Error("no counter of room_send is 1")
}

// A room that nobody sends to costs nothing.
func TestSilentRoomsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(limit.Config{Room: limit.Rate{PerSecond: 10, Burst: 20}}, limit.Options{})
		go func() { _ = l.Run(t.Context()) }()
		s := enter(t, l, "alice", home)
		const rooms = 10_000
		before := heap()
		for room := range int64(rooms) {
			_ = s.Room(room + 1)
		}
		if grown := heap() - before; grown < rooms*16 {
			t.Fatalf("%d rooms cost %d bytes: nothing to forget", rooms, grown)
		}
		<-time.After(30 * time.Second)
		if left := (heap() - before) / rooms; left > 100 { // maps keep their buckets
			t.Errorf("%d bytes are left for each silent room", left)
		}
	})
}

func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc) //nolint:gosec // G115: it fits
}

// What was given back before the others were told is not told: who sends where he may not leaves nothing in Redis.
func TestGivenBackIsNotShared(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = client.Close() })
	cfg := limit.Config{Room: limit.Rate{PerSecond: 0.001, Burst: 100}}
	s := node(t.Context(), t, client, cfg, "alice")
	if s.Room(1) != 0 {
		t.Fatal("a fresh room has to wait")
	}
	s.RoomBack(1)
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	const told = "fliliy:limit:room:2"
	for s.Room(2); !server.Exists(told); <-poll.C {
	}
	if keys := server.Keys(); len(keys) != 1 {
		t.Errorf("Redis has %q, want %s alone", keys, told)
	}
}

// A message to a room that is not silent allocates nothing.
func TestRoomAllocatesNothing(t *testing.T) {
	s := enter(t, limit.New(limit.Config{Room: limit.Rate{PerSecond: 1e6, Burst: 1e6}}, limit.Options{}), "alice", home)
	if got := testing.AllocsPerRun(1000, func() { _ = s.Room(42) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
