package faults

import (
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fliliy/chat/deploy/fleet"
	"github.com/fliliy/chat/gateway/redistest"
)

// presenceHistory: alice is there from 1 s on; bob's gateway dies at 10 s, and he is back at 12 s; carol leaves at 10 s.
func presenceHistory() *History {
	h := NewHistory()
	h.conns = []*Connection{
		{User: "alice", Connected: 1 * sec},
		{User: "bob", Connected: 1 * sec, Ended: 10 * sec},
		{User: "bob", Connected: 12 * sec},
		{User: "carol", Connected: 1 * sec, Ended: 10 * sec},
	}
	return h
}

func TestFalselyOffline(t *testing.T) {
	t.Parallel()
	f, all := newFacts(presenceHistory()), window{0, time.Minute}
	for _, tc := range []struct {
		name string
		seen sighting
		w    window
		want bool
	}{
		{"who is there", sighting{user: "alice", at: 20 * sec}, all, true},
		{"who is there, in another window", sighting{user: "alice", at: 20 * sec}, window{0, 19 * sec}, false},
		{"who came a moment ago", sighting{user: "alice", at: 1500 * time.Millisecond}, all, false},
		{"who came", sighting{user: "alice", online: true, at: 20 * sec}, all, false},
		{"within the debounce", sighting{user: "bob", at: 11 * sec}, all, true},
		{"back for a while", sighting{user: "bob", at: 14 * sec}, all, true},
		{"after the debounce", sighting{user: "carol", at: 14 * sec}, all, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := f.falselyOffline(&roster{changes: []sighting{tc.seen}}, tc.w, debounced)
			if (len(got) > 0) != tc.want {
				t.Errorf("falsely offline: %v, want %v", got, tc.want)
			}
		})
	}
}

func TestFalselyTold(t *testing.T) {
	t.Parallel()
	f, w := newFacts(presenceHistory()), window{11 * sec, 40 * sec}
	for _, tc := range []struct {
		name string
		told StatusSeen
		want bool
	}{
		{"gone, but there", StatusSeen{"alice", "offline", 20 * sec}, true},
		{"come, but never away", StatusSeen{"alice", "online", 20 * sec}, true},
		{"busy is no news of coming", StatusSeen{"alice", "busy", 20 * sec}, false},
		{"gone", StatusSeen{"carol", "offline", 20 * sec}, false},
		{"come", StatusSeen{"bob", "online", 13 * sec}, false},
		{"before", StatusSeen{"alice", "offline", 5 * sec}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := NewHistory()
			h.statuses["one"] = tc.told
			if got := f.falselyTold(h, w); (len(got) > 0) != tc.want {
				t.Errorf("falsely told: %v, want %v", got, tc.want)
			}
		})
	}
}

func TestStatusesCountOnce(t *testing.T) {
	t.Parallel()
	h := NewHistory()
	for _, body := range []string{
		`{"event":"USER_STATUS","chatRoomId":"1","userId":"bob","status":"offline","at":"2026-11-23T05:14:00.123Z"}`,
		`{"event":"USER_STATUS","chatRoomId":"2","userId":"bob","status":"offline","at":"2026-11-23T05:14:00.123Z"}`,
		`{"event":"USER_STATUS","chatRoomId":"1","userId":"bob","status":"online","at":"2026-11-23T05:14:01.123Z"}`,
	} {
		if err := h.status([]byte(body)); err != nil {
			t.Fatalf("status: %v", err)
		}
	}
	if got := h.Statuses(); len(got) != 2 {
		t.Errorf("%v, want one of each", got)
	}
	if err := h.status([]byte("{")); err == nil {
		t.Error("a broken event is taken")
	}
}

func TestRosterSeesWhatRedisShows(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = rdb.Close() })
	h := NewHistory()
	r := watchRoster(h, server.Addr())
	shows := func(users ...string) {
		t.Helper()
		want := map[string]bool{}
		for _, user := range users {
			want[user] = true
		}
		since := h.Now()
		if !fleet.Poll(t.Context(), time.Minute, func() bool { return r.shows(want, since) }) {
			t.Fatalf("the roster never shows %v", users)
		}
	}
	change := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	shows()
	change(rdb.SAdd(t.Context(), onlineKey, "alice", "bob").Err())
	shows("alice", "bob")
	change(rdb.SRem(t.Context(), onlineKey, "bob").Err())
	shows("alice")
	if !r.hidden([]string{"bob"}) || r.hidden([]string{"bob", "alice"}) {
		t.Error("bob is not hidden, or alice is")
	}
	server.Kill() // nothing is shown, so nothing has changed
	change(server.Restart())
	shows()
	change(r.close())
	var gone []string
	for _, s := range r.changes {
		if !s.online {
			gone = append(gone, s.user)
		}
	}
	if !slices.Equal(gone, []string{"bob", "alice"}) {
		t.Errorf("gone in this order: %v, want bob, alice", gone)
	}
}
