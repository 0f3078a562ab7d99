package storetest

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

func testAppend(t *testing.T, h *house) {
	one, two := h.room("alice", "bob"), h.room("alice", "carol")
	appended := h.append(
		unit(text(one, "alice", "1")),
		unit(text(two, "carol", "1"), text(one, "bob", "2")),
		unit(text(two, "alice", "2")),
	)
	want := [][]chat.Stored{
		{{MessageID: chat.MessageID(one, 1), Seq: 1}},
		{{MessageID: chat.MessageID(two, 1), Seq: 1}, {MessageID: chat.MessageID(one, 2), Seq: 2}},
		{{MessageID: chat.MessageID(two, 2), Seq: 2}},
	}
	for i, outcome := range appended.Outcomes {
		if outcome.Err != nil || len(outcome.Stored) != len(want[i]) {
			t.Fatalf("unit %d: %+v", i, outcome)
		}
		for j, stored := range outcome.Stored {
			if stored != want[i][j] {
				t.Errorf("unit %d, draft %d: %+v, want %+v", i, j, stored, want[i][j])
			}
		}
	}
	if len(appended.Events) != 4 || len(appended.Audience[one]) != 2 || len(appended.Audience[two]) != 2 {
		t.Fatalf("%d events for %v", len(appended.Events), appended.Audience)
	}
	for _, e := range appended.Events {
		stored := h.history(e.Log)[e.Seq-1]
		if string(stored.JSON()) != string(e.JSON()) || !stored.At.Equal(e.At) {
			t.Errorf("stored is %s at %s, to be published %s at %s", stored.JSON(), stored.At, e.JSON(), e.At)
		}
	}
}

func testIdempotent(t *testing.T, h *house) {
	room, other := h.room("alice", "bob"), h.room("alice", "bob")
	first := h.append(unit(withID(text(room, "alice", "first"), "id"))).Outcomes[0].Stored[0]
	repeat := first
	repeat.Duplicate = true
	check := func(name string, outcome chat.Outcome, want chat.Stored) {
		t.Helper()
		if outcome.Err != nil || len(outcome.Stored) != 1 || outcome.Stored[0] != want {
			t.Errorf("%s: %+v, want %+v", name, outcome, want)
		}
	}
	again := h.append(unit(withID(text(room, "alice", "other words"), "id")))
	check("a repeat with other content", again.Outcomes[0], repeat)
	if len(again.Events) != 0 || len(again.Audience) != 0 {
		t.Errorf("a repeat is to be published: %v", again.Events)
	}
	both := h.append(
		unit(withID(text(room, "alice", "second"), "twice")),
		unit(withID(text(room, "alice", "second"), "twice")),
		unit(withID(text(room, "bob", "second"), "id")),
		unit(withID(text(other, "alice", "second"), "id")),
		unit(text(room, "alice", "no id")), unit(text(room, "alice", "no id")),
	)
	check("the first of two in a batch", both.Outcomes[0], chat.Stored{MessageID: chat.MessageID(room, 2), Seq: 2})
	check("the second of two in a batch", both.Outcomes[1],
		chat.Stored{MessageID: chat.MessageID(room, 2), Seq: 2, Duplicate: true})
	check("the id of another sender", both.Outcomes[2], chat.Stored{MessageID: chat.MessageID(room, 3), Seq: 3})
	check("the id in another room", both.Outcomes[3], chat.Stored{MessageID: chat.MessageID(other, 1), Seq: 1})
	if len(both.Events) != 5 {
		t.Errorf("%d events are to be published, want 5", len(both.Events))
	}
	inUnit := h.append(unit(withID(text(room, "bob", "x"), "u"), withID(text(room, "bob", "x"), "u"))).Outcomes[0]
	if inUnit.Err != nil || inUnit.Stored[0].Duplicate || !inUnit.Stored[1].Duplicate ||
		inUnit.Stored[0].Seq != inUnit.Stored[1].Seq {
		t.Errorf("twice in one unit: %+v", inUnit)
	}
	if err := h.rooms.RemoveMember(t.Context(), "alice", other, "alice"); err != nil {
		t.Fatal(err)
	}
	left := h.append(unit(withID(text(other, "alice", "second"), "id"))).Outcomes[0]
	check("a repeat after leaving", left, chat.Stored{MessageID: chat.MessageID(other, 1), Seq: 1, Duplicate: true})
	if stored := h.history(roomLog(room)); stored[0].Content != "first" || len(stored) != 6 {
		t.Errorf("the log has %d events, the first says %q", len(stored), stored[0].Content)
	}
}

// testHoldOff has messages come to a room that has to wait. Its members are told so; who is not in it hears what she
// always does, and a repeat is answered as the first time.
func testHoldOff(t *testing.T, h *house) {
	room, other := h.room("alice", "bob"), h.room("alice", "bob")
	first := h.append(unit(withID(text(room, "alice", "first"), "id"))).Outcomes[0].Stored[0]
	edited := h.one(edit(room, "alice", first.Seq, "again"))
	held := func(d chat.Draft) chat.Draft { d.HoldOff = 250 * time.Millisecond; return d }
	appended := h.append(
		unit(held(text(room, "bob", "late"))),
		unit(held(withID(text(room, "alice", "first"), "id"))),
		unit(held(text(room, "mallory", "let me in"))),
		unit(held(edit(room, "alice", first.Seq, "and again"))),
		unit(held(edit(room, "alice", first.Seq, "again"))),
		unit(held(recall(room, "bob", first.Seq))),
		unit(text(other, "bob", "elsewhere"), held(text(room, "bob", "late"))),
		unit(text(room, "bob", "in time")),
	)
	forbidden := "room " + strconv.FormatInt(room, 10) + " does not exist, or you are not a member of it"
	for i, want := range []struct {
		code   chat.Code
		says   string
		stored chat.Stored
	}{
		{chat.RateLimited, "try again in 250ms", chat.Stored{}},
		{"", "", chat.Stored{MessageID: first.MessageID, Seq: first.Seq, Duplicate: true}},
		{chat.Forbidden, forbidden, chat.Stored{}},
		{chat.RateLimited, "try again in 250ms", chat.Stored{}},
		{"", "", chat.Stored{MessageID: edited.MessageID, Seq: edited.Seq, Duplicate: true}},
		{chat.Forbidden, "", chat.Stored{}},
		{chat.RateLimited, "try again in 250ms", chat.Stored{}},
		{"", "", chat.Stored{MessageID: chat.MessageID(room, edited.Seq+1), Seq: edited.Seq + 1}},
	} {
		switch got := appended.Outcomes[i]; {
		case want.code == "":
			if got.Err != nil || got.Stored[0] != want.stored {
				t.Errorf("unit %d: %+v, want %+v", i, got, want.stored)
			}
		case got.Err == nil || got.Err.Code != want.code || !strings.Contains(got.Err.Message, want.says):
			t.Errorf("unit %d: %+v, want %s %q", i, got, want.code, want.says)
		case (got.Err.RetryAfter == 250*time.Millisecond) != (want.code == chat.RateLimited):
			t.Errorf("unit %d: to be tried again after %v", i, got.Err.RetryAfter)
		}
	}
	if head := h.head(roomLog(other)); head != 0 {
		t.Errorf("a refused unit has moved another room to %d", head)
	}
}

func testAllOrNone(t *testing.T, h *house) {
	room, closed := h.room("alice", "bob"), h.room("carol", "dave")
	appended := h.append(
		unit(text(room, "alice", "1")),
		unit(withID(text(room, "alice", "never"), "a"), withID(text(closed, "alice", "never"), "b"), text(room, "alice", "")),
		unit(withID(text(room, "alice", "2"), "a")),
		unit(text(closed, "carol", "1")),
	)
	refused := appended.Outcomes[1]
	if refused.Err == nil || refused.Err.Code != chat.Forbidden || refused.Err.Action != 1 ||
		refused.Err.ClientMessageID != "b" || refused.Stored != nil {
		t.Errorf("the unit with a draft into a closed room: %+v, error %+v", refused, refused.Err)
	}
	for i, seq := range map[int]int64{0: 1, 2: 2, 3: 1} {
		if got := appended.Outcomes[i]; got.Err != nil || got.Stored[0].Seq != seq || got.Stored[0].Duplicate {
			t.Errorf("unit %d: %+v, want seq %d", i, got, seq)
		}
	}
	for room, want := range map[int64]int{room: 2, closed: 1} {
		if got := h.history(roomLog(room)); len(got) != want {
			t.Errorf("room %d has %d events, want %d", room, len(got), want)
		}
	}
}

func testNonMember(t *testing.T, h *house) {
	room := h.room("alice", "bob")
	missing := room + 1000
	appended := h.append(unit(text(room, "mallory", "x")), unit(text(missing, "alice", "x")))
	for i, id := range []int64{room, missing} {
		refusal := appended.Outcomes[i].Err
		if refusal == nil || refusal.Code != chat.Forbidden {
			t.Fatalf("unit %d: %v", i, refusal)
		}
		_, err := h.rooms.Members(t.Context(), "mallory", id)
		if want := chat.Refusal(err).Message; refusal.Message != want {
			t.Errorf("refused with %q, want as for reading: %q", refusal.Message, want)
		}
	}
	if len(appended.Events) != 0 || h.head(roomLog(room)) != 0 {
		t.Errorf("refused drafts became events: %v", appended.Events)
	}
}

func testRemovedCannotAppend(t *testing.T, h *house) {
	room := h.room("alice", "bob")
	h.say(room, "bob", "hello")
	if err := h.rooms.RemoveMember(t.Context(), "alice", room, "bob"); err != nil {
		t.Fatal(err)
	}
	if refusal := h.append(unit(text(room, "bob", "again"))).Outcomes[0].Err; chat.CodeOf(refusal) != chat.Forbidden {
		t.Errorf("a removed member's message: %v, want FORBIDDEN", refusal)
	}
	if _, err := h.rooms.AddMembers(t.Context(), "alice", room, []string{"bob"}); err != nil {
		t.Fatal(err)
	}
	if stored := h.say(room, "bob", "back"); stored.Seq != 4 {
		t.Errorf("after joining again the message has seq %d, want 4", stored.Seq)
	}
}

func testTexts(t *testing.T, h *house) {
	room := h.room("alice", "bób 😀")
	drafts := []chat.Draft{
		text(room, "bób 😀", "你好 'quoted' \"double\" \\back\\ {a,b} NULL \u2028 \x01 😀\r\n"),
		{Room: room, SenderID: "alice", Type: chat.TypeImage, Attachment: json.RawMessage(`{"b":1,"a":[null,"\\u0000","ü"]}`)},
		{Room: room, SenderID: "alice", Type: chat.TypeVoice, Content: "NULL", ClientMessageID: "'; DROP TABLE events; --"},
	}
	h.append(drafts)
	for i, e := range h.history(roomLog(room)) {
		d := drafts[i]
		if e.UserID != d.SenderID || e.Content != d.Content || string(e.Attachment) != string(d.Attachment) ||
			e.ClientMessageID != d.ClientMessageID || e.Type != d.Type || !json.Valid(e.JSON()) {
			t.Errorf("stored is %+v, want %+v", e, d)
		}
	}
	page, _, err := h.rooms.List(t.Context(), "bób 😀", 0, "")
	if err != nil || len(page) != 1 || page[0].Last.ClientMessageID != drafts[2].ClientMessageID {
		t.Errorf("the list is %+v, error %v", page, err)
	}
}

func testCancelled(t *testing.T, h *house) {
	room := h.room("alice", "bob")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := h.store.Append(ctx, [][]chat.Draft{unit(text(room, "alice", "x"))})
	wantCode(t, err, chat.Unavailable)
	if stored := h.say(room, "alice", "y"); stored.Seq != 1 {
		t.Errorf("after a cancelled append the message has seq %d, want 1", stored.Seq)
	}
}
