package storetest

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

func seqs(events []chat.Event) []int64 {
	var all []int64
	for _, e := range events {
		all = append(all, e.Seq)
	}
	return all
}

func testHistory(t *testing.T, h *house) {
	room := h.room("alice", "bob")
	messages := chat.NewMessages(nil, h.store)
	if events, head, err := messages.History(t.Context(), "bob", room, chat.Range{After: -1}); err != nil ||
		head != 0 || len(events) != 0 {
		t.Errorf("an empty log gives %v, head %d, error %v", events, head, err)
	}
	for i := range 7 {
		h.say(room, "alice", number("m", i+1))
	}
	cases := []struct {
		name string
		ask  chat.Range
		want []int64
	}{
		{"everything", chat.Range{After: -1}, []int64{1, 2, 3, 4, 5, 6, 7}},
		{"the newest", chat.Range{After: -1, Limit: 2}, []int64{6, 7}},
		{"before", chat.Range{Before: 6, After: -1, Limit: 2}, []int64{4, 5}},
		{"before the first", chat.Range{Before: 1, After: -1}, nil},
		{"before beyond the head", chat.Range{Before: 100, After: -1, Limit: 2}, []int64{6, 7}},
		{"after", chat.Range{After: 2, Limit: 2}, []int64{3, 4}},
		{"after nothing", chat.Range{After: 0, Limit: 2}, []int64{1, 2}},
		{"after the head", chat.Range{After: 7}, nil},
		{"after beyond the head", chat.Range{After: 70}, nil},
	}
	for _, c := range cases {
		events, head, err := messages.History(t.Context(), "bob", room, c.ask)
		if err != nil || head != 7 || !slices.Equal(seqs(events), c.want) {
			t.Errorf("%s: %v, head %d, error %v; want %v", c.name, seqs(events), head, err, c.want)
		}
	}
	_, _, err := messages.History(t.Context(), "mallory", room, chat.Range{After: -1})
	wantCode(t, err, chat.Forbidden)
	events, head, err := h.logs.Read(t.Context(), roomLog(room), 3, 5)
	if err != nil || head != 7 || !slices.Equal(seqs(events), []int64{4, 5}) {
		t.Errorf("a stretch is %v, head %d, error %v", seqs(events), head, err)
	}
}

func testHeads(t *testing.T, h *house) {
	one, two := h.room("alice", "bob"), h.room("alice", "bob")
	h.say(one, "alice", "1")
	h.say(one, "alice", "2")
	h.append(unit(chat.Draft{Inbox: "alice", Title: "t"}))
	ask := []chat.LogRef{{User: "alice"}, {Room: two}, {User: "nobody"}, {Room: one}, {Room: two + 1000}, {Room: one}}
	heads, err := h.logs.Heads(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int64{1, 0, 0, 2, 0, 2} {
		if heads[i].Seq != want || heads[i].Log != ask[i] {
			t.Errorf("head %d is %+v, want %d of %+v", i, heads[i], want, ask[i])
		}
	}
}

func testMarks(t *testing.T, h *house) {
	room := h.room("alice", "bob")
	for i := range 5 {
		h.say(room, "alice", number("m", i))
	}
	steps := []struct {
		name      string
		seq, want int64
		moved     bool
	}{
		{"forward", 2, 2, true},
		{"the same again", 2, 2, false},
		{"never back", 1, 2, false},
		{"beyond the head", 99, 5, true},
		{"everything, again", 0, 5, false},
	}
	for _, step := range steps {
		before := len(h.pub.Events())
		got, err := h.marks.Read(t.Context(), "bob", room, step.seq)
		if err != nil || got != step.want {
			t.Errorf("%s: mark is %d, error %v; want %d", step.name, got, err, step.want)
		}
		published := h.pub.Events()[before:]
		if (len(published) == 1) != step.moved {
			t.Fatalf("%s: published %v", step.name, published)
		}
		if step.moved && (published[0].Kind != chat.KindRead || published[0].Mark != step.want ||
			published[0].UserID != "bob" || published[0].Seq != 0 || published[0].At.IsZero()) {
			t.Errorf("%s: published %+v", step.name, published[0])
		}
	}
	member, err := h.store.Member(t.Context(), room, "bob")
	if err != nil || member.LastRead != 5 {
		t.Errorf("bob is %+v, error %v", member, err)
	}
	_, err = h.marks.Read(t.Context(), "mallory", room, 0)
	wantCode(t, err, chat.Forbidden)
	_, err = h.marks.Read(t.Context(), "bob", room+1000, 0)
	wantCode(t, err, chat.Forbidden)
}

func testInbox(t *testing.T, h *house) {
	data := json.RawMessage(`{"orderId":7}`)
	note := func(user, id, title string) chat.Draft {
		return chat.Draft{Inbox: user, ClientMessageID: id, Type: "TRADE", Title: title, Content: "c", Attachment: data}
	}
	room := h.room("alice", "bob")
	appended := h.append(unit(note("alice", "n1", "one")), unit(note("bob", "n1", "one")), unit(text(room, "bob", "x")),
		unit(note("alice", "", "two")), unit(note("alice", "n1", "one again")))
	for i, want := range []int64{1, 1, 1, 2, 1} {
		if got := appended.Outcomes[i]; got.Err != nil || got.Stored[0].Seq != want {
			t.Errorf("unit %d: %+v, want seq %d", i, got, want)
		}
	}
	if !appended.Outcomes[4].Stored[0].Duplicate || len(appended.Events) != 4 {
		t.Errorf("the repeat is %+v among %d events", appended.Outcomes[4].Stored, len(appended.Events))
	}
	events, head, err := chat.NewInbox(nil, h.store).List(t.Context(), "alice", chat.Range{After: -1})
	if err != nil || head != 2 || len(events) != 2 {
		t.Fatalf("alice's inbox has %v, head %d, error %v", events, head, err)
	}
	one, two := events[0], events[1]
	if one.Kind != chat.KindNotification || one.UserID != "alice" || one.Title != "one" || one.Type != "TRADE" ||
		string(one.Attachment) != string(data) || one.NotificationID() != "n1" || one.Log.User != "alice" {
		t.Errorf("the first notification is %+v", one)
	}
	if two.NotificationID() != two.MessageID || two.LogID != one.LogID || two.LogID == room {
		t.Errorf("the second notification is %+v", two)
	}
	if string(one.JSON()) != string(appended.Events[0].JSON()) {
		t.Errorf("stored is %s, to be published %s", one.JSON(), appended.Events[0].JSON())
	}
}

// testInboxNumberIsNoRoom names an inbox by its number as if it were a room.
func testInboxNumberIsNoRoom(t *testing.T, h *house) {
	h.append(unit(chat.Draft{Inbox: "alice", Title: "one"}))
	events := h.history(chat.LogRef{User: "alice"})
	id := events[0].LogID
	appended := h.append(unit(text(id, "mallory", "x")), unit(chat.Draft{Inbox: "alice", Title: "two"}),
		unit(text(id, "mallory", "x")))
	if got := appended.Outcomes[1]; got.Err != nil || got.Stored[0].Seq != 2 {
		t.Errorf("the notification beside it: %+v", got)
	}
	for _, i := range []int{0, 2} {
		if chat.CodeOf(appended.Outcomes[i].Err) != chat.Forbidden {
			t.Errorf("unit %d: %+v, want FORBIDDEN", i, appended.Outcomes[i])
		}
	}
	_, err := h.logs.Subscribe(t.Context(), "mallory", roomLog(id), 0)
	wantCode(t, err, chat.Forbidden)
	_, err = h.logs.Subscribe(t.Context(), "mallory", chat.LogRef{User: "alice"}, 0)
	wantCode(t, err, chat.Forbidden)
}

func testSubscribe(t *testing.T, h *house) {
	room := h.room("alice", "bob")
	var drafts []chat.Draft
	for i := range chat.MaxEvents + 5 {
		drafts = append(drafts, text(room, "alice", number("m", i)))
	}
	for chunk := range slices.Chunk(drafts, chat.MaxUnit) {
		h.append(chunk)
	}
	head := int64(len(drafts))
	cases := []struct {
		name           string
		last           int64
		events         int
		gapFrom, gapTo int64
	}{
		{"from now on", -1, 0, 0, 0},
		{"nothing missed", head, 0, 0, 0},
		{"ahead of the log", head + 9, 0, 0, 0},
		{"a few", head - 3, 3, 0, 0},
		{"exactly the cap", head - chat.MaxEvents, chat.MaxEvents, 0, 0},
		{"one too many", head - chat.MaxEvents - 1, chat.MaxEvents, 5, 5},
		{"everything", 0, chat.MaxEvents, 1, 5},
	}
	for _, c := range cases {
		snapshot, err := h.logs.Subscribe(t.Context(), "bob", roomLog(room), c.last)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if snapshot.Head != head || len(snapshot.Events) != c.events || snapshot.GapFrom != c.gapFrom ||
			snapshot.GapTo != c.gapTo {
			t.Errorf("%s: head %d, %d events, gap %d to %d", c.name, snapshot.Head, len(snapshot.Events),
				snapshot.GapFrom, snapshot.GapTo)
		}
		if n := len(snapshot.Events); n > 0 && (snapshot.Events[n-1].Seq != head || snapshot.Events[0].Seq != head-int64(n)+1) {
			t.Errorf("%s: events are %d to %d", c.name, snapshot.Events[0].Seq, snapshot.Events[n-1].Seq)
		}
	}
	member, err := h.store.Member(t.Context(), room, "bob")
	if err != nil || member.LastRead != head {
		t.Errorf("after subscribing the mark is %d, error %v; want %d", member.LastRead, err, head)
	}
	if published := h.pub.Events(); len(published) != 1 || published[0].Kind != chat.KindRead {
		t.Errorf("published %v, want one READ", published)
	}
	_, err = h.logs.Subscribe(t.Context(), "mallory", roomLog(room), -1)
	wantCode(t, err, chat.Forbidden)
}

func testRestart(t *testing.T, h *house) {
	room := h.room("alice", "bob")
	first := h.append(unit(withID(text(room, "alice", "kept"), "id"))).Outcomes[0].Stored[0]
	h.append(unit(chat.Draft{Inbox: "alice", Title: "kept"}))
	h.store.Close()
	h.use(h.open())
	first.Duplicate = true
	if again := h.append(unit(withID(text(room, "alice", "kept"), "id"))).Outcomes[0].Stored[0]; again != first {
		t.Errorf("a repeat after a restart: %+v, want %+v", again, first)
	}
	if next := h.say(room, "bob", "next"); next.Seq != 2 {
		t.Errorf("the next seq is %d, want 2", next.Seq)
	}
	if head := h.head(chat.LogRef{User: "alice"}); head != 1 {
		t.Errorf("the inbox has head %d, want 1", head)
	}
	if other := h.room("alice", "bob"); other <= room {
		t.Errorf("a new room has id %d, an old one %d", other, room)
	}
}
