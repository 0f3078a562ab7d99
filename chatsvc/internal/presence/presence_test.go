package presence_test

import (
	"log/slog"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/presence"
	"github.com/fliliy/chat/proto/presencekey"
)

// newReader returns a reader that waits for the Redis behind the address as long as it takes.
func newReader(t *testing.T, addr string) *presence.Reader {
	t.Helper()
	r, err := presence.NewPatient("redis://" + addr)
	must(t, err)
	closeAtEnd(t, r)
	return r
}

func closeAtEnd(t *testing.T, r *presence.Reader) {
	t.Helper()
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	seen := time.Date(2026, 11, 23, 5, 14, 0, 123e6, time.UTC)
	must(t, server.Set(presencekey.Status("alice"), "busy"))
	must(t, server.Set(presencekey.Seen("alice"), strconv.FormatInt(seen.UnixMilli(), 10)+" busy 5"))
	must(t, server.Set(presencekey.Seen("bob"), strconv.FormatInt(seen.UnixMilli(), 10)+" offline 5"))
	must(t, server.Set(presencekey.Seen("carol"), "nonsense"))
	got := newReader(t, server.Addr()).Observe(t.Context(), []string{"bob", "alice", "carol", "dave"})
	want := []chat.Presence{
		{UserID: "bob", Status: "offline", LastSeen: seen},
		{UserID: "alice", Status: "busy", LastSeen: seen},
		{UserID: "carol", Status: "offline"},
		{UserID: "dave", Status: "offline"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("observed %v, want %v", got, want)
	}
}

// More users than one MGET takes are told in their order.
func TestObserveMany(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	users := make([]string, 2500)
	for i := range users {
		users[i] = strconv.Itoa(i)
	}
	must(t, server.Set(presencekey.Status("2400"), "away"))
	for i, p := range newReader(t, server.Addr()).Observe(t.Context(), users) {
		want := chat.Presence{UserID: users[i], Status: "offline"}
		if i == 2400 {
			want.Status = "away"
		}
		if p != want {
			t.Fatalf("place %d is %v, want %v", i, p, want)
		}
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	for key, users := range map[string][]string{presencekey.OnlineUsers: {"a", "b", "c"}, presencekey.RoomUsers(7): {"a", "b"}} {
		if _, err := server.SetAdd(key, users...); err != nil {
			t.Fatal(err)
		}
	}
	r := newReader(t, server.Addr())
	online, open, known := r.Count(t.Context(), []int64{8, 7})
	if online != 3 || !slices.Equal(open, []int64{0, 2}) || !known {
		t.Errorf("counted %d and %v, known %v; want 3 and [0 2]", online, open, known)
	}
}

// A Redis that takes connections and says nothing makes presence unknown; it is then left alone for a while.
func TestSilentRedis(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = listener.Close() }()
	r, err := presence.New("redis://"+listener.Addr().String(), nil, slog.New(slog.DiscardHandler))
	must(t, err)
	closeAtEnd(t, r)
	for range 3 {
		if got := r.Observe(t.Context(), []string{"alice"}); len(got) != 1 || got[0].Status != chat.StatusUnknown {
			t.Errorf("observed %v, want unknown", got)
		}
		if _, _, known := r.Count(t.Context(), nil); known {
			t.Error("counted without an answer")
		}
	}
}

// What was unknown is known again once Redis is back.
func TestRedisComesBack(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	r := newReader(t, server.Addr())
	server.SetError("LOADING")
	if got := r.Observe(t.Context(), []string{"alice"}); got[0].Status != chat.StatusUnknown {
		t.Errorf("observed %v, want unknown", got)
	}
	server.SetError("")
	deadline := time.After(30 * time.Second)
	for r.Observe(t.Context(), []string{"alice"})[0].Status == chat.StatusUnknown {
		select {
		case <-deadline:
			t.Fatal("still unknown")
		case <-time.After(20 * time.Millisecond):
		}
	}
}
