package storetest

import (
	"maps"
	"testing"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// testRecentHeads has one instance change logs of every kind and another one tell which.
func testRecentHeads(t *testing.T, h *house) {
	other := h.open()
	t.Cleanup(other.Close)
	recent := func(window time.Duration) map[chat.LogRef]int64 {
		t.Helper()
		heads, err := other.RecentHeads(t.Context(), window)
		if err != nil {
			t.Fatalf("read recent heads: %v", err)
		}
		seqs := make(map[chat.LogRef]int64)
		for _, head := range heads {
			if _, twice := seqs[head.Log]; twice {
				t.Errorf("%+v is named twice", head.Log)
			}
			seqs[head.Log] = head.Seq
		}
		return seqs
	}
	check := func(what string, want map[chat.LogRef]int64) {
		t.Helper()
		if got := recent(time.Minute); !maps.Equal(got, want) {
			t.Errorf("after %s: %v, want %v", what, got, want)
		}
	}
	one, two, quiet := h.room("alice", "bob"), h.room("alice", "bob"), h.room("alice", "bob")
	check("rooms without events", map[chat.LogRef]int64{})
	h.append(unit(text(one, "alice", "1"), text(two, "bob", "1"), text(one, "bob", "2")))
	check("two rooms in one transaction", map[chat.LogRef]int64{roomLog(one): 2, roomLog(two): 1})
	carol := chat.Draft{Inbox: "carol", Title: "sold"}
	h.append(unit(carol), unit(text(one, "alice", "3")), unit(chat.Draft{Inbox: "dave", Title: "sold"}))
	h.append(unit(carol))
	if _, err := h.rooms.AddMembers(t.Context(), "alice", two, []string{"carol", "dave"}); err != nil {
		t.Fatal(err)
	}
	want := map[chat.LogRef]int64{
		roomLog(one): 3, roomLog(two): 3, {User: "carol"}: 2, {User: "dave"}: 1,
	}
	check("notifications and new members", want)
	h.append(unit(text(quiet, "mallory", "refused")))
	if _, err := h.rooms.AddMembers(t.Context(), "alice", two, []string{"carol"}); err != nil {
		t.Fatal(err)
	}
	check("what changed nothing", want)
	if got := recent(0); len(got) != 0 {
		t.Errorf("of the last 0 seconds: %v, want none", got)
	}
}
