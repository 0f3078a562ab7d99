package postgres_test

import (
	"context"
	"testing"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/store/postgres"
	"github.com/fliliy/chat/chatsvc/internal/store/storetest"
)

// unsuspecting is a store that never expects a repeat, so that the unique index has to find each.
type unsuspecting struct{ *postgres.Store }

func (u unsuspecting) Append(ctx context.Context, units [][]chat.Draft) (chat.Appended, error) {
	u.ForgetRepeats()
	return u.Store.Append(ctx, units)
}

func TestStoreThatExpectsNoRepeats(t *testing.T) {
	storetest.Exercise(t, func(t *testing.T) func() storetest.Store {
		url := server.NewDatabase(t)
		return func() storetest.Store { return unsuspecting{open(t, url)} }
	}, storetest.Features{Replicas: 3, Writers: 4})
}

// TestRepeatsAreExpectedAfterOne: the look-up is off until a repeat was met, by whichever way, and then on for a while.
func TestRepeatsAreExpectedAfterOne(t *testing.T) {
	store := open(t, server.NewDatabase(t))
	t.Cleanup(store.Close)
	room := newRoom(t, store)
	send := func(id, sender string) chat.Outcome {
		t.Helper()
		draft := chat.Draft{Room: room, SenderID: sender, ClientMessageID: id, Type: chat.TypeText, Content: "x"}
		appended, err := store.Append(t.Context(), [][]chat.Draft{{draft}})
		if err != nil {
			t.Fatal(err)
		}
		return appended.Outcomes[0]
	}
	expects := func(when string, want bool) {
		t.Helper()
		if got := store.ExpectsRepeats(); got != want {
			t.Errorf("%s, repeats are expected: %t, want %t", when, got, want)
		}
	}
	send("1", "alice")
	expects("after a first message", false)
	if outcome := send("1", "alice"); outcome.Err != nil || !outcome.Stored[0].Duplicate {
		t.Errorf("a repeat that the index found: %+v", outcome)
	}
	expects("after a repeat that the index found", true)
	store.ForgetRepeats()
	if outcome := send("2", "mallory"); outcome.Err == nil {
		t.Errorf("a stranger's message: %+v", outcome)
	}
	expects("after a refusal that was no repeat", false)
	send("1", "alice")
	for i := 0; store.ExpectsRepeats(); i++ {
		if i > 1000 {
			t.Fatal("repeats are still expected after 1,000 messages without one")
		}
		send("", "alice")
	}
}
