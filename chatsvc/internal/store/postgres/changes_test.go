package postgres_test

import (
	"slices"
	"testing"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/pgtest"
)

// TestOldChangesAreThrownAway also when only replicas that read are left, and not before they have read them.
func TestOldChangesAreThrownAway(t *testing.T) {
	t.Parallel()
	url := server.NewDatabase(t)
	store := open(t, url)
	defer store.Close()
	room := newRoom(t, store)
	if _, err := store.Append(t.Context(), [][]chat.Draft{say(room, "before the service was down")}); err != nil {
		t.Fatal(err)
	}
	execute(t, pgtest.Connect(t, url), `UPDATE changes SET at = at - interval '20 minutes'`)
	hour := func() []chat.Head {
		t.Helper()
		heads, err := store.RecentHeads(t.Context(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return heads
	}
	if want := []chat.Head{{Log: chat.LogRef{Room: room}, Seq: 1}}; !slices.Equal(hour(), want) {
		t.Error("what happened before a long outage is not named")
	}
	store.PruneDue()
	if len(hour()) != 1 {
		t.Error("changes were thrown away before they were read")
	}
	if heads := hour(); len(heads) != 0 {
		t.Errorf("changes that are long past are still there: %v", heads)
	}
}
