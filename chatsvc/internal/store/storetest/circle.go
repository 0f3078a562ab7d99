package storetest

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

func testEntrance(t *testing.T, h *house) {
	room := h.room("alice", "bob", "carol")
	member, members, err := h.store.Entrance(t.Context(), room, "bob")
	if want, _ := h.store.Member(t.Context(), room, "bob"); err != nil || !reflect.DeepEqual(member, want) || member.Role == 0 {
		t.Errorf("bob enters as %+v, error %v; want %+v", member, err, want)
	}
	if slices.Sort(members); !slices.Equal(members, []string{"alice", "bob", "carol"}) {
		t.Errorf("bob meets %v", members)
	}
	for _, ask := range []struct {
		room int64
		user string
	}{{room, "mallory"}, {room + 1000, "bob"}} {
		member, members, err := h.store.Entrance(t.Context(), ask.room, ask.user)
		if err != nil || !reflect.DeepEqual(member, chat.Member{}) || members != nil {
			t.Errorf("%+v: %+v meets %v, error %v; want nobody", ask, member, members, err)
		}
	}
	var crowd []string
	for i := range chat.MaxLive {
		crowd = append(crowd, number("u", i))
	}
	large := h.room("alice", crowd...)
	if member, members, err := h.store.Entrance(t.Context(), large, "alice"); err != nil || member.Role == 0 ||
		members != nil {
		t.Errorf("in a large room: %+v meets %d, error %v; want no members", member, len(members), err)
	}
	snapshot, err := h.logs.Subscribe(t.Context(), "carol", roomLog(room), -1)
	if err != nil || len(snapshot.MemberIDs) != 3 {
		t.Errorf("a subscription hears of %v, error %v", snapshot.MemberIDs, err)
	}
}

func testCircle(t *testing.T, h *house) {
	one, two, three := h.room("alice", "bob"), h.room("alice", "carol"), h.room("dave", "bob")
	h.say(one, "alice", "makes it the newest")
	var crowd []string
	for i := range chat.MaxLive {
		crowd = append(crowd, number("u", i))
	}
	h.room("alice", crowd...) // too large to be told
	rooms, err := h.store.LiveRooms(t.Context(), []string{"alice", "dave", "nobody"}, 10)
	if err != nil || !slices.Equal(rooms["alice"], []int64{one, two}) || !slices.Equal(rooms["dave"], []int64{three}) ||
		len(rooms) != 2 {
		t.Errorf("rooms are %v, error %v; want alice in %v, dave in %v", rooms, err, []int64{one, two}, three)
	}
	rooms, err = h.store.LiveRooms(t.Context(), []string{"alice"}, 1)
	if err != nil || !slices.Equal(rooms["alice"], []int64{one}) {
		t.Errorf("of one room: %v, error %v; want the newest, %d", rooms, err, one)
	}
	known, err := h.store.Acquainted(t.Context(), "alice", []string{"bob", "carol", "dave", "u7", "nobody", "alice"})
	if slices.Sort(known); err != nil || !slices.Equal(known, []string{"alice", "bob", "carol", "u7"}) {
		t.Errorf("alice knows %v, error %v", known, err)
	}
}

// said is what the model of unread counts remembers of an event.
type said struct {
	sender string
	counts bool // a message that was not recalled
}

// unreadModel is a room as its members should see it.
type unreadModel struct {
	log  []said
	read map[string]int // of those in the room
}

func (m *unreadModel) unread(user string) (n int64) {
	for _, e := range m.log[m.read[user]:] {
		if e.counts && e.sender != user {
			n++
		}
	}
	return n
}

// testUnreadModel drives a room at random, from several devices of each member as they come, and compares the unread
// counts with a model: only messages of others count, neither edits nor recalls nor comings and goings, and no message
// that was recalled.
func testUnreadModel(t *testing.T, h *house) {
	users := []string{"alice", "bob", "carol"}
	rapid.Check(t, func(rt *rapid.T) {
		room := h.room(users[0], users[1:]...)
		m := &unreadModel{read: map[string]int{"alice": 0, "bob": 0, "carol": 0}}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			user := rapid.SampledFrom(users).Draw(rt, "user")
			if _, in := m.read[user]; !in {
				h.join(room, user)
				m.log = append(m.log, said{sender: user})
				m.read[user] = len(m.log)
				continue
			}
			h.unreadStep(rt, m, room, user)
		}
		for user := range m.read {
			if got := h.unread(room, user); got != m.unread(user) {
				rt.Fatalf("%s has %d unread, want %d (read %d of %+v)", user, got, m.unread(user), m.read[user], m.log)
			}
		}
	})
}

// unreadStep lets a member do something.
func (h *house) unreadStep(rt *rapid.T, m *unreadModel, room int64, user string) {
	switch rapid.SampledFrom([]string{"say", "say", "edit", "recall", "read", "read all", "leave"}).Draw(rt, "what") {
	case "say":
		h.say(room, user, "x")
		m.log = append(m.log, said{sender: user, counts: true})
	case "edit", "recall":
		for i := range m.log {
			if m.log[i].sender == user && m.log[i].counts {
				if rapid.Bool().Draw(rt, "recalled") {
					h.one(recall(room, user, int64(i+1)))
					m.log[i].counts = false
				} else {
					h.one(edit(room, user, int64(i+1), number("y", len(m.log))))
				}
				m.log = append(m.log, said{sender: user})
				return
			}
		}
	case "read", "read all":
		seq := rapid.IntRange(0, len(m.log)).Draw(rt, "up to")
		if _, err := h.marks.Read(h.t.Context(), user, room, int64(seq)); err != nil {
			rt.Fatalf("%s reads %d: %v", user, seq, err)
		}
		if seq == 0 {
			seq = len(m.log)
		}
		m.read[user] = max(m.read[user], seq)
	case "leave":
		if user == "alice" {
			return // the owner stays, to let the others in again
		}
		if err := h.rooms.RemoveMember(h.t.Context(), user, room, user); err != nil {
			rt.Fatalf("%s leaves: %v", user, err)
		}
		m.log = append(m.log, said{sender: user})
		delete(m.read, user)
	}
}

func (h *house) join(room int64, user string) {
	h.t.Helper()
	if _, err := h.rooms.AddMembers(h.t.Context(), "alice", room, []string{user}); err != nil {
		h.t.Fatalf("%s joins: %v", user, err)
	}
}

// unread is what the list of rooms says. The room is on its first page: it is the newest.
func (h *house) unread(room int64, user string) int64 {
	h.t.Helper()
	page, _, err := h.rooms.List(h.t.Context(), user, chat.MaxRooms, "")
	if err != nil {
		h.t.Fatal(err)
	}
	for i := range page {
		if page[i].Room.ID == room {
			return page[i].Unread
		}
	}
	h.t.Fatalf("%s does not see room %d", user, room)
	return 0
}
