package storetest

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

func testDelivered(t *testing.T, h *house) {
	room := h.room("alice", "bob")
	for i := range 5 {
		h.say(room, "alice", number("m", i))
	}
	deliver := func(seq int64) (int64, error) { return h.marks.Delivered(t.Context(), "bob", room, seq) }
	read := func(seq int64) (int64, error) { return h.marks.Read(t.Context(), "bob", room, seq) }
	steps := []struct {
		name            string
		move            func(int64) (int64, error)
		seq, want       int64
		published       chat.Kind // empty: nothing
		read, delivered int64     // the member's marks afterwards
	}{
		{"forward", deliver, 2, 2, chat.KindDelivered, 0, 2},
		{"the same again", deliver, 2, 2, "", 0, 2},
		{"never back", deliver, 1, 2, "", 0, 2},
		{"reading less moves the read mark alone", read, 1, 1, chat.KindRead, 1, 2},
		{"what is read is delivered", read, 4, 4, chat.KindRead, 4, 4},
		{"which moves nothing again", deliver, 3, 4, "", 4, 4},
		{"nor that", deliver, 4, 4, "", 4, 4},
		{"ahead of what is read", deliver, 5, 5, chat.KindDelivered, 4, 5},
		{"beyond the head", deliver, 99, 5, "", 4, 5},
	}
	for _, step := range steps {
		before := len(h.pub.Events())
		got, err := step.move(step.seq)
		if err != nil || got != step.want {
			t.Errorf("%s: mark is %d, error %v; want %d", step.name, got, err, step.want)
		}
		published := h.pub.Events()[before:]
		if (len(published) == 1) != (step.published != "") || len(published) > 1 {
			t.Fatalf("%s: published %v", step.name, published)
		}
		if len(published) == 1 && (published[0].Kind != step.published || published[0].Mark != step.want ||
			published[0].UserID != "bob" || published[0].Seq != 0 || published[0].At.IsZero()) {
			t.Errorf("%s: published %+v", step.name, published[0])
		}
		member, err := h.store.Member(t.Context(), room, "bob")
		if err != nil || member.LastRead != step.read || member.LastDelivered != step.delivered {
			t.Errorf("%s: bob is %+v, error %v; want read %d and delivered %d", step.name, member, err,
				step.read, step.delivered)
		}
	}
	members, err := h.store.Members(t.Context(), room)
	if err != nil || len(members) != 2 || members[0].LastDelivered != 0 || members[1].LastDelivered != 5 {
		t.Errorf("members are %+v, error %v", members, err)
	}
	_, err = h.marks.Delivered(t.Context(), "mallory", room, 1)
	wantCode(t, err, chat.Forbidden)
	_, err = h.marks.Delivered(t.Context(), "bob", room+1000, 1)
	wantCode(t, err, chat.Forbidden)
	_, err = deliver(0)
	wantCode(t, err, chat.Invalid)
	_, err = deliver(-1)
	wantCode(t, err, chat.Invalid)
}

// testLargeRoomMarks: what everybody's marks say in a crowd is for themselves alone.
func testLargeRoomMarks(t *testing.T, h *house) {
	var crowd []string
	for i := range chat.MaxLive - 1 {
		crowd = append(crowd, number("u", i))
	}
	for _, c := range []struct {
		name  string
		room  int64
		large bool
	}{{"as large as rooms may be", h.room("alice", crowd...), false}, {"larger", h.room("alice", append(crowd, "bob")...), true}} {
		h.say(c.room, "alice", "one")
		h.say(c.room, "alice", "two")
		before := len(h.pub.Events())
		if _, err := h.marks.Delivered(t.Context(), "u0", c.room, 1); err != nil {
			t.Fatal(err)
		}
		if _, err := h.marks.Read(t.Context(), "u0", c.room, 0); err != nil {
			t.Fatal(err)
		}
		var told []chat.Kind
		for _, e := range h.pub.Events()[before:] {
			told = append(told, e.Kind)
			if e.Private != c.large {
				t.Errorf("%s: %s is private: %t, want %t", c.name, e.Kind, e.Private, c.large)
			}
		}
		want := []chat.Kind{chat.KindDelivered, chat.KindRead}
		if c.large {
			want = want[1:]
		}
		if !slices.Equal(told, want) {
			t.Errorf("%s: told %v, want %v", c.name, told, want)
		}
		if member, err := h.store.Member(t.Context(), c.room, "u0"); err != nil || member.LastRead != 2 {
			t.Errorf("%s: u0 is %+v, error %v; want all read", c.name, member, err)
		}
	}
}

// patiently repeats a call while the store says that it is of use: on a busy machine locks may be long in coming.
func patiently(call func() error) error {
	err := call()
	for try := 1; try < 10 && errors.Is(err, chat.ErrTransient); try++ {
		err = call()
	}
	return err
}

// testConcurrentMarks moves a mark from all instances at once: it ends at the highest, and comes to each place once.
func testConcurrentMarks(t *testing.T, h *house) {
	const messages = 40
	room := h.room("alice", "bob")
	for i := range messages {
		h.say(room, "alice", number("m", i))
	}
	var writers sync.WaitGroup
	for range h.features.Replicas {
		store := h.open()
		defer store.Close()
		marks := chat.NewMarks(store, h.pub)
		for w := range h.features.Writers {
			writers.Go(func() {
				for seq := int64(w%3 + 1); seq <= messages; seq += 3 {
					err := patiently(func() error {
						_, err := marks.Delivered(t.Context(), "bob", room, seq)
						return err
					})
					if err != nil {
						t.Errorf("deliver %d: %v", seq, err)
					}
				}
			})
		}
	}
	writers.Wait()
	seen := make(map[int64]bool)
	for _, e := range h.pub.Events() {
		if e.Kind == chat.KindDelivered && seen[e.Mark] {
			t.Errorf("DELIVERED %d is published twice: the mark moved there once", e.Mark)
		}
		seen[e.Mark] = true
	}
	member, err := h.store.Member(t.Context(), room, "bob")
	if err != nil || member.LastDelivered != messages {
		t.Errorf("bob is %+v, error %v; want delivered %d", member, err, messages)
	}
}
