package storetest

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// moderate brings a user into a state, and fails unless that changes something.
func (h *house) moderate(room int64, user string, state chat.State, until time.Time) {
	h.t.Helper()
	changed, err := h.rooms.Moderate(h.t.Context(), room, user, state, until)
	if err != nil || !changed {
		h.t.Fatalf("%s to state %d: changed %v, error %v", user, state, changed, err)
	}
}

// newest is the last event of a room.
func (h *house) newest(room int64) chat.Event {
	h.t.Helper()
	events := h.history(roomLog(room))
	if len(events) == 0 {
		h.t.Fatal("the room has no events")
	}
	return events[len(events)-1]
}

// outcome is why a draft was refused, or nil.
func (h *house) outcome(d chat.Draft) error {
	h.t.Helper()
	if refusal := h.append(unit(d)).Outcomes[0].Err; refusal != nil {
		return refusal
	}
	return nil
}

func testMuted(t *testing.T, h *house) {
	room := h.room("alice", "bob", "carol")
	seq := h.say(room, "bob", "before").Seq
	h.moderate(room, "bob", chat.StateMuted, time.Time{})
	if e := h.newest(room); e.Kind != chat.KindMember || e.Change != chat.Muted || e.UserID != "bob" || e.Content != "" {
		t.Errorf("the event is %+v", e)
	}
	add := func() error {
		_, err := h.rooms.AddMembers(t.Context(), "bob", room, []string{"dave"})
		return err
	}
	edit := chat.Draft{Kind: chat.KindEdited, Room: room, SenderID: "bob", Target: seq, Content: "x", Within: time.Hour}
	recall := chat.Draft{Kind: chat.KindRecalled, Room: room, SenderID: "bob", Target: seq, Within: time.Hour}
	_, read := h.marks.Read(t.Context(), "bob", room, 0)
	_, delivered := h.marks.Delivered(t.Context(), "bob", room, 1)
	_, subscribed := h.logs.Subscribe(t.Context(), "bob", roomLog(room), 0)
	for name, c := range map[string]struct {
		err  error
		code chat.Code
	}{
		"sends":      {h.outcome(text(room, "bob", "x")), chat.Forbidden},
		"edits":      {h.outcome(edit), chat.Forbidden},
		"types":      {h.marks.Typing(t.Context(), "bob", room), chat.Forbidden},
		"adds":       {add(), chat.Forbidden},
		"recalls":    {h.outcome(recall), ""},
		"reads":      {read, ""},
		"delivers":   {delivered, ""},
		"subscribes": {subscribed, ""},
		"the others": {h.outcome(text(room, "carol", "x")), ""},
	} {
		if got := chat.CodeOf(c.err); got != c.code {
			t.Errorf("bob, muted, %s: %v, want %q", name, c.err, c.code)
		}
	}
	if changed, err := h.rooms.Moderate(t.Context(), room, "bob", chat.StateMuted, time.Time{}); err != nil || changed {
		t.Errorf("muted again: changed %v, error %v", changed, err)
	}
	h.moderate(room, "bob", chat.StateMember, time.Time{})
	if e := h.newest(room); e.Change != chat.Unmuted || h.outcome(text(room, "bob", "after")) != nil {
		t.Errorf("after %+v bob is still muted", e)
	}
	if err := h.rooms.RemoveMember(t.Context(), "bob", room, "bob"); err != nil {
		t.Errorf("bob leaves: %v", err)
	}
}

// testMuteEnds has a mute end by itself, by the database's clock.
func testMuteEnds(t *testing.T, h *house) {
	room := h.room("alice", "bob")
	h.moderate(room, "bob", chat.StateMuted, time.Now().Add(time.Second))
	if e := h.newest(room); e.Content == "" {
		t.Errorf("the event does not say until when: %s", e.JSON())
	}
	wantCode(t, h.outcome(text(room, "bob", "x")), chat.Forbidden)
	deadline := time.Now().Add(20 * time.Second)
	for h.outcome(text(room, "bob", "x")) != nil {
		if time.Now().After(deadline) {
			t.Fatal("the mute does not end")
		}
		<-time.After(20 * time.Millisecond)
	}
}

func testBanned(t *testing.T, h *house) {
	room := h.room("alice", "bob", "carol")
	h.say(room, "bob", "before")
	h.moderate(room, "alice", chat.StateBanned, time.Time{})
	if e := h.newest(room); e.Change != chat.Banned || e.UserID != "alice" {
		t.Errorf("the event is %+v", e)
	}
	members, err := h.rooms.Members(t.Context(), "bob", room)
	if err != nil || len(members) != 2 || members[0].UserID != "bob" || members[0].Role != chat.RoleOwner {
		t.Errorf("after the owner's ban: %+v, error %v", members, err)
	}
	stranger := h.outcome(text(room, "mallory", "x"))
	if banned := h.outcome(text(room, "alice", "x")); banned == nil || banned.Error() != stranger.Error() {
		t.Errorf("alice hears %v, a stranger %v", banned, stranger)
	}
	back := func(user string) error {
		_, err := h.rooms.AddMembers(t.Context(), "bob", room, []string{"dave", user})
		return err
	}
	wantCode(t, back("alice"), chat.Forbidden)
	if dave, err := h.store.Member(t.Context(), room, "dave"); err != nil || dave.Role != 0 {
		t.Errorf("dave came in with the refused call: %+v, error %v", dave, err)
	}
	h.moderate(room, "erin", chat.StateBanned, time.Time{}) // who never was there
	wantCode(t, back("erin"), chat.Forbidden)
	h.moderate(room, "erin", chat.StateBanned, time.Now().Add(time.Hour)) // not for ever now
	h.moderate(room, "erin", chat.StateMember, time.Time{})
	h.moderate(room, "alice", chat.StateMember, time.Time{})
	if e := h.newest(room); e.Change != chat.Unbanned {
		t.Errorf("the event is %+v", e)
	}
	if alice, err := h.store.Member(t.Context(), room, "alice"); err != nil || alice.Role != 0 {
		t.Errorf("to be let in again is not to be in: %+v, error %v", alice, err)
	}
	for _, user := range []string{"alice", "erin"} {
		if err := back(user); err != nil {
			t.Errorf("%s, free again, is added: %v", user, err)
		}
	}
	if listed, _, err := h.rooms.List(t.Context(), "alice", 0, ""); err != nil || listed[0].Room.MemberCount != 5 {
		t.Errorf("the room's line is %+v, error %v; want 5 members", listed, err)
	}
	for name, ask := range map[string]struct {
		room  int64
		user  string
		state chat.State
		until time.Time
	}{
		"no room":        {room + 1000, "bob", chat.StateMuted, time.Time{}},
		"a stranger":     {room, "mallory", chat.StateMuted, time.Time{}},
		"over already":   {room, "bob", chat.StateBanned, time.Now().Add(-time.Minute)},
		"no state":       {room, "bob", 0, time.Time{}},
		"a bounded none": {room, "bob", chat.StateMember, time.Now().Add(time.Hour)},
		"no user":        {room, "", chat.StateMuted, time.Time{}},
	} {
		_, err := h.rooms.Moderate(t.Context(), ask.room, ask.user, ask.state, ask.until)
		if chat.CodeOf(err) != chat.Invalid {
			t.Errorf("%s: %v, want INVALID", name, err)
		}
	}
}

// testBannedFromDirect: a direct room has its two members, or fewer while one is banned.
func testBannedFromDirect(t *testing.T, h *house) {
	meet := func(by, other string) (chat.Room, error) {
		room, _, err := h.rooms.Create(t.Context(), by, chat.NewRoom{MemberIDs: []string{other}})
		return room, err
	}
	room, err := meet("alice", "bob")
	if err != nil {
		t.Fatal(err)
	}
	h.moderate(room.ID, "bob", chat.StateBanned, time.Time{})
	_, err = meet("bob", "alice")
	wantCode(t, err, chat.Forbidden)
	if again, err := meet("alice", "bob"); err != nil || again.ID != room.ID || !slices.Equal(again.MemberIDs, []string{"alice"}) {
		t.Errorf("alice finds %+v, error %v", again, err)
	}
	h.moderate(room.ID, "bob", chat.StateMember, time.Time{})
	if err := h.outcome(text(room.ID, "bob", "back")); err != nil {
		t.Errorf("bob, free again: %v", err)
	}
	h.moderate(room.ID, "bob", chat.StateBanned, time.Now().Add(time.Second))
	deadline := time.Now().Add(20 * time.Second)
	for _, err = meet("bob", "alice"); err != nil; _, err = meet("bob", "alice") {
		if chat.CodeOf(err) != chat.Forbidden || time.Now().After(deadline) {
			t.Fatalf("the ban does not end: %v", err)
		}
		<-time.After(20 * time.Millisecond)
	}
	if err := h.outcome(text(room.ID, "bob", "back again")); err != nil {
		t.Errorf("bob, his ban over: %v", err)
	}
}

// testAbsences has a member go and come back, by all ways there are, and compares what she may read with a model: the log
// without what was written between two memberships.
func testAbsences(t *testing.T, h *house) {
	messages := chat.NewMessages(nil, h.store)
	rapid.Check(t, func(rt *rapid.T) {
		room := h.room("alice", "bob")
		var seen []int64 // what bob may read, while he is in
		in, banned, head := true, false, int64(0)
		must := func(err error) {
			if err != nil {
				rt.Fatal(err)
			}
			head++
		}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			was := in
			switch step := rapid.SampledFrom([]string{"say", "say", "say", "go", "ban", "return"}).Draw(rt, "step"); {
			case step == "say":
				must(h.outcome(text(room, "alice", "x")))
			case step == "go" && in:
				must(h.rooms.RemoveMember(t.Context(), "alice", room, "bob"))
				in = false
			case step == "ban" && !banned:
				_, err := h.rooms.Moderate(t.Context(), room, "bob", chat.StateBanned, time.Time{})
				must(err)
				in, banned = false, true
			case step == "return" && !in:
				if banned {
					_, err := h.rooms.Moderate(t.Context(), room, "bob", chat.StateMember, time.Time{})
					must(err)
				}
				_, err := h.rooms.AddMembers(t.Context(), "alice", room, []string{"bob"})
				must(err)
				in, banned = true, false
			default:
				continue
			}
			if was || in {
				seen = append(seen, head) // the end and the beginning of a membership are for her
			}
		}
		if !in {
			_, _, err := messages.History(t.Context(), "bob", room, chat.Range{After: -1})
			if chat.CodeOf(err) != chat.Forbidden {
				rt.Fatalf("out, he reads: %v", err)
			}
			return
		}
		h.readsOnly(rt, room, seen, head)
	})
}

// readsOnly pages through a room in both directions and resumes, as bob.
func (h *house) readsOnly(rt *rapid.T, room int64, seen []int64, head int64) {
	messages := chat.NewMessages(nil, h.store)
	limit := rapid.IntRange(1, 5).Draw(rt, "limit")
	var forth, back []int64
	for after := int64(0); ; {
		events, at, err := messages.History(h.t.Context(), "bob", room, chat.Range{After: after, Limit: limit})
		if err != nil || at != head {
			rt.Fatalf("head %d, want %d; error %v", at, head, err)
		}
		if len(events) == 0 {
			break
		}
		forth = append(forth, seqs(events)...)
		after = events[len(events)-1].Seq
	}
	for before := head + 1; ; {
		events, _, err := messages.History(h.t.Context(), "bob", room, chat.Range{Before: before, After: -1, Limit: limit})
		if err != nil {
			rt.Fatal(err)
		}
		if len(events) == 0 {
			break
		}
		back = append(seqs(events), back...)
		before = events[0].Seq
	}
	if !slices.Equal(forth, seen) || !slices.Equal(back, seen) {
		rt.Fatalf("forth %v, back %v, want %v", forth, back, seen)
	}
	last := rapid.Int64Range(0, head).Draw(rt, "last-seq")
	snapshot, err := h.logs.Subscribe(h.t.Context(), "bob", roomLog(room), last)
	if err != nil {
		rt.Fatal(err)
	}
	var want []int64
	for _, seq := range seen {
		if seq > last {
			want = append(want, seq)
		}
	}
	if got := seqs(snapshot.Events); !slices.Equal(got, want) || snapshot.GapTo != 0 {
		rt.Fatalf("resumed after %d: %v, gap to %d; want %v", last, got, snapshot.GapTo, want)
	}
	for seq := int64(1); seq <= head; seq++ {
		hidden := slices.ContainsFunc(snapshot.Hidden, func(s chat.Span) bool { return s.First <= seq && seq <= s.Last })
		if hidden == slices.Contains(seen, seq) {
			rt.Fatalf("%d: hidden %v in %v; want only %v seen", seq, hidden, snapshot.Hidden, seen)
		}
	}
}
