package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// replicas opens as many instances on the database as the store allows, the house's among them.
func (h *house) replicas() []Store {
	stores := []Store{h.store}
	for len(stores) < h.features.Replicas {
		store := h.open()
		h.t.Cleanup(store.Close)
		stores = append(stores, store)
	}
	return stores
}

// everyone runs do in all writers of all replicas at once and returns what went wrong.
func (h *house) everyone(do func(store Store, writer int) error) error {
	var group sync.WaitGroup
	var mu sync.Mutex
	var failures []error
	writer := 0
	for _, store := range h.replicas() {
		for range h.features.Writers {
			number := writer
			group.Go(func() {
				if err := do(store, number); err != nil {
					mu.Lock()
					defer mu.Unlock()
					failures = append(failures, err)
				}
			})
			writer++
		}
	}
	group.Wait()
	return errors.Join(failures...)
}

// testConcurrentAppends has all writers append to overlapping rooms, named in any order.
func testConcurrentAppends(t *testing.T, h *house) {
	const batches, perBatch = 10, 8
	var rooms []int64
	for range 5 {
		rooms = append(rooms, h.room("alice", "bob"))
	}
	var mu sync.Mutex
	acknowledged := make(map[string]string) // content by message id
	err := h.everyone(func(store Store, writer int) error {
		random := rand.New(rand.NewPCG(uint64(writer), 1))
		for batch := range batches {
			var units [][]chat.Draft
			for i := range perBatch {
				d := text(rooms[random.IntN(len(rooms))], "alice", fmt.Sprint(writer, "/", batch, "/", i))
				units = append(units, unit(withID(d, d.Content)))
			}
			appended, err := store.Append(t.Context(), units)
			if err != nil {
				return err
			}
			for i, outcome := range appended.Outcomes {
				if outcome.Err != nil {
					return outcome.Err
				}
				mu.Lock()
				acknowledged[outcome.Stored[0].MessageID] = units[i][0].Content
				mu.Unlock()
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := h.features.Replicas * h.features.Writers * batches * perBatch
	if len(acknowledged) != want {
		t.Errorf("%d different message ids for %d messages", len(acknowledged), want)
	}
	stored := 0
	for _, room := range rooms {
		var last chat.Event
		for _, e := range h.history(roomLog(room)) {
			stored++
			if acknowledged[e.MessageID] != e.Content {
				t.Errorf("%s says %q, acknowledged was %q", e.MessageID, e.Content, acknowledged[e.MessageID])
			}
			if e.At.Before(last.At) {
				t.Errorf("%s is of %s, before its predecessor's %s", e.MessageID, e.At, last.At)
			}
			last = e
		}
	}
	if stored != want {
		t.Errorf("%d messages stored, want %d", stored, want)
	}
}

// testConcurrentRepeats has all writers send the same message.
func testConcurrentRepeats(t *testing.T, h *house) {
	room := h.room("alice", "bob")
	var mu sync.Mutex
	firsts := 0
	err := h.everyone(func(store Store, _ int) error {
		for i := range 10 {
			appended, err := store.Append(t.Context(), [][]chat.Draft{unit(withID(text(room, "alice", "x"), number("id", i)))})
			if err != nil {
				return err
			}
			if len(appended.Events) > 0 {
				mu.Lock()
				firsts++
				mu.Unlock()
			}
			if outcome := appended.Outcomes[0]; outcome.Err != nil || outcome.Stored[0].Seq != int64(i+1) {
				return fmt.Errorf("message %d: %+v", i, outcome)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(h.history(roomLog(room))); got != 10 || firsts != 10 {
		t.Errorf("%d messages stored and %d to be published, want 10 and 10", got, firsts)
	}
}

func testConcurrentDirect(t *testing.T, h *house) {
	var mu sync.Mutex
	rooms := make(map[string]map[int64]bool)
	created := 0
	err := h.everyone(func(store Store, writer int) error {
		use := chat.NewRooms(store, h.pub)
		for i := range 5 {
			pair := []string{"alice", "bob"}
			by, other, listing := pair[writer%2], pair[(writer+1)%2], number("L", i)
			room, isNew, err := use.Create(t.Context(), by, chat.NewRoom{MemberIDs: []string{other}, ListingID: listing})
			if err != nil {
				return err
			}
			mu.Lock()
			if rooms[listing] == nil {
				rooms[listing] = make(map[int64]bool)
			}
			rooms[listing][room.ID] = true
			if isNew {
				created++
			}
			mu.Unlock()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for listing, ids := range rooms {
		if len(ids) != 1 {
			t.Errorf("listing %s has %d direct rooms", listing, len(ids))
		}
	}
	if created != 5 {
		t.Errorf("%d direct rooms were created, want 5", created)
	}
}

// testRemovalRace has a member send while she is removed and joins again, many times: whatever was stored was stored
// while she was a member.
func testRemovalRace(t *testing.T, h *house) {
	room := h.room("alice", "bob")
	stop := make(chan struct{})
	var group sync.WaitGroup
	for _, store := range h.replicas() {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				appended, err := store.Append(t.Context(), [][]chat.Draft{unit(text(room, "bob", "x"))})
				if err != nil || (appended.Outcomes[0].Err != nil && appended.Outcomes[0].Err.Code != chat.Forbidden) {
					t.Errorf("append: %v, %+v", err, appended.Outcomes)
					return
				}
			}
		})
	}
	for range 15 {
		if err := h.rooms.RemoveMember(t.Context(), "alice", room, "bob"); err != nil {
			t.Error(err)
		}
		if _, err := h.rooms.AddMembers(t.Context(), "alice", room, []string{"bob"}); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	group.Wait()
	inside := true
	for _, e := range h.history(roomLog(room)) {
		switch e.Kind {
		case chat.KindMember:
			inside = e.Change == chat.Joined
		case chat.KindMessage:
			if !inside {
				t.Errorf("message %s was stored after bob was removed", e.MessageID)
			}
		}
	}
}

// testConcurrentInboxes has all writers notify the same new users.
func testConcurrentInboxes(t *testing.T, h *house) {
	err := h.everyone(func(store Store, writer int) error {
		var units [][]chat.Draft
		for i := range 6 {
			units = append(units, unit(chat.Draft{Inbox: number("user", (writer+i)%6), Title: number("from ", writer)}))
		}
		appended, err := store.Append(t.Context(), units)
		for _, outcome := range appended.Outcomes {
			if outcome.Err != nil {
				err = errors.Join(err, outcome.Err)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		if got := len(h.history(chat.LogRef{User: number("user", i)})); got != h.features.Replicas*h.features.Writers {
			t.Errorf("inbox %d has %d notifications, want one of each of %d writers", i, got,
				h.features.Replicas*h.features.Writers)
		}
	}
}
