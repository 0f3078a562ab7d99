package storetest

import (
	"slices"
	"testing"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

func testCreate(t *testing.T, h *house) {
	ask := chat.NewRoom{Name: "Fahrräder", ListingID: "L1", MemberIDs: []string{"bob", "carol", "bob", "alice"}}
	room, created, err := h.rooms.Create(t.Context(), "alice", ask)
	if err != nil || !created {
		t.Fatalf("created is %v, error %v", created, err)
	}
	if room.ID <= 0 || room.Name != "Fahrräder" || room.ListingID != "L1" || room.Direct || room.CreatedBy != "alice" ||
		room.CreatedAt.IsZero() || room.MemberCount != 3 {
		t.Errorf("room is %+v", room)
	}
	if want := []string{"alice", "bob", "carol"}; !slices.Equal(room.MemberIDs, want) {
		t.Errorf("members are %q, want %q", room.MemberIDs, want)
	}
	members, err := h.rooms.Members(t.Context(), "bob", room.ID)
	if err != nil || len(members) != 3 {
		t.Fatalf("members are %v, error %v", members, err)
	}
	for _, m := range members {
		want := chat.RoleMember
		if m.UserID == "alice" {
			want = chat.RoleOwner
		}
		if m.Role != want || m.LastRead != 0 || m.JoinedAt.IsZero() {
			t.Errorf("member is %+v, want role %d", m, want)
		}
	}
	if head := h.head(roomLog(room.ID)); head != 0 {
		t.Errorf("a new room's log has head %d, want 0", head)
	}
	_, err = h.rooms.Members(t.Context(), "mallory", room.ID)
	wantCode(t, err, chat.Forbidden)
	_, err = h.rooms.Members(t.Context(), "alice", room.ID+1000)
	wantCode(t, err, chat.Forbidden)
}

func testDirect(t *testing.T, h *house) {
	create := func(by, other, listing, name string) (int64, bool) {
		t.Helper()
		room, created, err := h.rooms.Create(t.Context(), by,
			chat.NewRoom{Name: name, ListingID: listing, MemberIDs: []string{other}})
		if err != nil {
			t.Fatal(err)
		}
		if room.Direct != (name == "") || len(room.MemberIDs) != 2 {
			t.Errorf("room is %+v", room)
		}
		return room.ID, created
	}
	first, created := create("alice", "bob", "L1", "")
	if !created {
		t.Error("the first direct room is not new")
	}
	for _, pair := range [][2]string{{"alice", "bob"}, {"bob", "alice"}} {
		if again, created := create(pair[0], pair[1], "L1", ""); again != first || created {
			t.Errorf("%v found room %d (new: %v), want %d", pair, again, created, first)
		}
	}
	others := map[string]func() (int64, bool){
		"another listing": func() (int64, bool) { return create("alice", "bob", "L2", "") },
		"no listing":      func() (int64, bool) { return create("alice", "bob", "", "") },
		"another pair":    func() (int64, bool) { return create("alice", "carol", "L1", "") },
		"a name":          func() (int64, bool) { return create("alice", "bob", "L1", "named") },
	}
	seen := map[int64]string{first: "the first"}
	for name, make := range others {
		id, created := make()
		if seen[id] != "" || !created {
			t.Errorf("%s: room %d (new: %v) is the room of %s", name, id, created, seen[id])
		}
		seen[id] = name
	}
}

func testList(t *testing.T, h *house) {
	var ids []int64
	for i := range 5 {
		ids = append(ids, h.room("alice", number("user", i)))
	}
	h.room("bob", "carol")
	h.say(ids[1], "alice", "one")
	h.say(ids[3], "user3", "two")
	h.say(ids[1], "user1", "three")
	want := []int64{ids[1], ids[3], ids[4], ids[2], ids[0]}
	for _, size := range []int{0, 1, 2, 5} {
		var got []int64
		token := ""
		for {
			page, next, err := h.rooms.List(t.Context(), "alice", size, token)
			if err != nil {
				t.Fatal(err)
			}
			if size > 0 && len(page) > size {
				t.Fatalf("a page of %d has %d rooms", size, len(page))
			}
			for _, sum := range page {
				got = append(got, sum.Room.ID)
			}
			if token = next; token == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("by pages of %d: %v, want %v", size, got, want)
		}
	}
	page, _, err := h.rooms.List(t.Context(), "alice", 3, "")
	if err != nil {
		t.Fatal(err)
	}
	top, empty := page[0], page[2]
	if top.Last == nil || top.Last.Content != "three" || top.Last.UserID != "user1" || top.Head != 2 ||
		top.Last.MessageID != chat.MessageID(ids[1], 2) || !top.ChangedAt.Equal(top.Last.At) {
		t.Errorf("the first line is %+v, its last event %+v", top, top.Last)
	}
	if !slices.Equal(top.Room.MemberIDs, []string{"alice", "user1"}) || top.Room.Name != "a room" {
		t.Errorf("the first line's room is %+v", top.Room)
	}
	if empty.Last != nil || empty.Head != 0 || empty.Unread != 0 {
		t.Errorf("a line without messages is %+v", empty)
	}
	_, _, err = h.rooms.List(t.Context(), "alice", 3, "nonsense!")
	wantCode(t, err, chat.Invalid)
	if none, _, err := h.rooms.List(t.Context(), "nobody", 0, ""); err != nil || len(none) != 0 {
		t.Errorf("nobody's rooms are %v, error %v", none, err)
	}
}

func testUnread(t *testing.T, h *house) {
	room := h.room("alice", "bob")
	h.say(room, "alice", "1")
	h.say(room, "bob", "2")
	h.say(room, "alice", "3")
	if _, err := h.rooms.AddMembers(t.Context(), "alice", room, []string{"carol"}); err != nil {
		t.Fatal(err)
	}
	h.say(room, "alice", "5")
	steps := []struct {
		name string
		user string
		read int64
		want int64
	}{
		{"all of the other's, no own, no events of members", "bob", -1, 3},
		{"own messages do not count", "alice", -1, 1},
		{"what was said before joining does not count", "carol", -1, 1},
		{"after a mark in the middle", "bob", 1, 2},
		{"after everything", "bob", 0, 0},
	}
	for _, step := range steps {
		if step.read >= 0 {
			if _, err := h.marks.Read(t.Context(), step.user, room, step.read); err != nil {
				t.Fatal(err)
			}
		}
		page, _, err := h.rooms.List(t.Context(), step.user, 0, "")
		if err != nil || len(page) != 1 {
			t.Fatalf("%s: rooms are %v, error %v", step.name, page, err)
		}
		if page[0].Unread != step.want {
			t.Errorf("%s: %s has %d unread, want %d", step.name, step.user, page[0].Unread, step.want)
		}
	}
}
