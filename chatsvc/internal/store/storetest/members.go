package storetest

import (
	"slices"
	"testing"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

func testAdd(t *testing.T, h *house) {
	room := h.room("alice", "bob")
	h.say(room, "alice", "before")
	members, err := h.rooms.AddMembers(t.Context(), "bob", room, []string{"carol", "alice", "dave", "carol"})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, m := range members {
		ids = append(ids, m.UserID)
	}
	if want := []string{"carol", "alice", "dave"}; !slices.Equal(ids, want) {
		t.Errorf("members are %q, want %q", ids, want)
	}
	events := h.history(roomLog(room))
	published := h.pub.Events()
	if len(events) != 3 || len(published) != 2 {
		t.Fatalf("%d events stored and %d published, want 3 and 2", len(events), len(published))
	}
	for i, user := range []string{"carol", "dave"} {
		e := events[i+1]
		if e.Kind != chat.KindMember || e.Change != chat.Joined || e.UserID != user || e.Type != "" {
			t.Errorf("event is %+v, want that %s joined", e, user)
		}
		if string(e.JSON()) != string(published[i].JSON()) {
			t.Errorf("stored %s, published %s", e.JSON(), published[i].JSON())
		}
	}
	if got, want := h.pub.Audiences()[0][room], 4; len(got) != want {
		t.Errorf("audience is %v, want %d users", got, want)
	}
	carol, err := h.store.Member(t.Context(), room, "carol")
	if err != nil || carol.LastRead != 3 || carol.Role != chat.RoleMember {
		t.Errorf("carol is %+v, error %v; want everything before her read", carol, err)
	}
	if _, err := h.rooms.AddMembers(t.Context(), "bob", room, []string{"carol"}); err != nil {
		t.Fatal(err)
	}
	if head := h.head(roomLog(room)); head != 3 {
		t.Errorf("adding a member again made an event: head is %d, want 3", head)
	}
}

func testRemove(t *testing.T, h *house) {
	room := h.room("alice", "bob", "carol", "dave")
	steps := []struct {
		by, user string
		change   chat.Change
		owner    string
	}{
		{"alice", "bob", chat.Removed, "alice"},
		{"carol", "carol", chat.Left, "alice"},
		{"alice", "alice", chat.Left, "dave"},
		{"dave", "dave", chat.Left, ""},
	}
	for i, step := range steps {
		if err := h.rooms.RemoveMember(t.Context(), step.by, room, step.user); err != nil {
			t.Fatalf("%s removes %s: %v", step.by, step.user, err)
		}
		events := h.history(roomLog(room))
		if len(events) != i+1 {
			t.Fatalf("after step %d the log has %d events", i+1, len(events))
		}
		if e := events[i]; e.Kind != chat.KindMember || e.Change != step.change || e.UserID != step.user {
			t.Errorf("event is %+v, want %s %s", e, step.user, step.change)
		}
		if allowed, err := h.rooms.Allowed(t.Context(), step.user, room); err != nil || allowed {
			t.Errorf("%s is still allowed (error %v)", step.user, err)
		}
		members, err := h.store.Members(t.Context(), room)
		if err != nil || len(members) != 3-i {
			t.Fatalf("members are %v, error %v", members, err)
		}
		for _, m := range members {
			if (m.Role == chat.RoleOwner) != (m.UserID == step.owner) {
				t.Errorf("after step %d %s has role %d; the owner should be %q", i+1, m.UserID, m.Role, step.owner)
			}
		}
	}
}

func testRefusedChanges(t *testing.T, h *house) {
	room := h.room("alice", "bob")
	direct, _, err := h.rooms.Create(t.Context(), "alice", chat.NewRoom{MemberIDs: []string{"bob"}})
	if err != nil {
		t.Fatal(err)
	}
	add := func(by string, room int64, users ...string) error {
		_, err := h.rooms.AddMembers(t.Context(), by, room, users)
		return err
	}
	remove := func(by string, room int64, user string) error {
		return h.rooms.RemoveMember(t.Context(), by, room, user)
	}
	cases := map[string]struct {
		err  error
		code chat.Code
	}{
		"stranger adds":            {add("mallory", room, "mallory"), chat.Forbidden},
		"add to no room":           {add("alice", room+1000, "carol"), chat.Forbidden},
		"add to a direct room":     {add("alice", direct.ID, "carol"), chat.Invalid},
		"add nobody":               {add("alice", room), chat.Invalid},
		"add no user id":           {add("alice", room, "a\nb"), chat.Invalid},
		"member removes another":   {remove("bob", room, "alice"), chat.Forbidden},
		"stranger removes":         {remove("mallory", room, "alice"), chat.Forbidden},
		"stranger leaves":          {remove("mallory", room, "mallory"), chat.Forbidden},
		"leave a direct room":      {remove("alice", direct.ID, "alice"), chat.Invalid},
		"remove from no room":      {remove("alice", 0, "bob"), chat.Forbidden},
		"owner removes a stranger": {remove("alice", room, "mallory"), ""},
	}
	for name, c := range cases {
		if got := chat.CodeOf(c.err); got != c.code {
			t.Errorf("%s: error is %v, want %q", name, c.err, c.code)
		}
	}
	if head, events := h.head(roomLog(room)), h.pub.Events(); head != 0 || len(events) != 0 {
		t.Errorf("refused changes left head %d and published %v", head, events)
	}
}

// testLargeRoom has more members than live copies are made for.
func testLargeRoom(t *testing.T, h *house) {
	var users []string
	for i := range chat.MaxLive {
		users = append(users, number("user", i))
	}
	room := h.room("alice", users[1:]...)
	small := h.append(unit(text(room, "user7", "small")))
	if got := len(small.Audience[room]); got != chat.MaxLive {
		t.Errorf("a room of %d has an audience of %d", chat.MaxLive, got)
	}
	if _, err := h.rooms.AddMembers(t.Context(), "alice", room, users[:1]); err != nil {
		t.Fatal(err)
	}
	large := h.append(unit(text(room, "user0", "large")), unit(text(room, "mallory", "no")))
	if got := large.Outcomes[0]; got.Err != nil || got.Stored[0].Seq != 3 {
		t.Errorf("a member of a large room got %+v", got)
	}
	if got := large.Outcomes[1].Err; got == nil || got.Code != chat.Forbidden {
		t.Errorf("a stranger in a large room got %v", got)
	}
	if got, ok := large.Audience[room]; ok {
		t.Errorf("a room of %d has an audience of %d", chat.MaxLive+1, len(got))
	}
	page, _, err := h.rooms.List(t.Context(), "alice", 0, "")
	if err != nil || len(page) != 1 || page[0].Room.MemberIDs != nil || page[0].Room.MemberCount != chat.MaxLive+1 {
		t.Errorf("the large room's line is %+v, error %v", page, err)
	}
}
