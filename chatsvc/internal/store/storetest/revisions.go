package storetest

import (
	"encoding/json"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

func edit(room int64, sender string, seq int64, content string) chat.Draft {
	return chat.Draft{
		Kind: chat.KindEdited, Room: room, SenderID: sender, Target: seq, Content: content, Within: time.Minute,
	}
}

func recall(room int64, sender string, seq int64) chat.Draft {
	return chat.Draft{Kind: chat.KindRecalled, Room: room, SenderID: sender, Target: seq, Within: time.Minute}
}

// one stores one draft, which must not be refused.
func (h *house) one(d chat.Draft) chat.Stored {
	h.t.Helper()
	outcome := h.append(unit(d)).Outcomes[0]
	if outcome.Err != nil {
		h.t.Fatalf("%s of %d by %s: %v", d.Kind, d.Target, d.SenderID, outcome.Err)
	}
	return outcome.Stored[0]
}

func testEdit(t *testing.T, h *house) {
	room := h.room("alice", "bob")
	h.append(unit(withID(text(room, "alice", "first"), "m")))
	appended := h.append(unit(withID(edit(room, "alice", 1, "second"), "e")))
	if got := appended.Outcomes[0].Stored[0]; got != (chat.Stored{MessageID: chat.MessageID(room, 2), Seq: 2}) {
		t.Errorf("the edit is stored as %+v, want seq 2", got)
	}
	if e := appended.Events[0]; len(appended.Events) != 1 || e.Kind != chat.KindEdited || e.Target != 1 ||
		e.Content != "second" || e.UserID != "alice" || e.ClientMessageID != "e" || len(appended.Audience[room]) != 2 {
		t.Errorf("to be published: %+v to %v", appended.Events, appended.Audience)
	}
	h.one(edit(room, "alice", 1, "third"))
	log := h.history(roomLog(room))
	if m := log[0]; m.Content != "third" || !m.EditedAt.Equal(log[2].At) || m.Recalled || m.ClientMessageID != "m" ||
		m.Kind != chat.KindMessage || m.Type != chat.TypeText || m.UserID != "alice" {
		t.Errorf("the message is %+v, want the content of its last edit at %v", m, log[2].At)
	}
	for i, want := range []string{1: "second", 2: "third"} {
		if i > 0 && (log[i].Kind != chat.KindEdited || log[i].Content != want || log[i].Target != 1 || log[i].Recalled) {
			t.Errorf("place %d is %+v, want the edit to %q", i+1, log[i], want)
		}
	}
	repeats := map[string]struct {
		draft chat.Draft
		seq   int64
	}{
		"by its id":                     {withID(edit(room, "alice", 1, "second"), "e"), 2},
		"by its id, with another body":  {withID(edit(room, "alice", 1, "fourth"), "e"), 2},
		"to what it is":                 {edit(room, "alice", 1, "third"), 3},
		"by the id of the message":      {withID(edit(room, "alice", 1, "fourth"), "m"), 1},
		"a message by the edit's id":    {withID(text(room, "alice", "fourth"), "e"), 2},
		"to what it is, with a new id":  {withID(edit(room, "alice", 1, "third"), "new"), 3},
		"to what it is, after its time": {chat.Draft{Kind: chat.KindEdited, Room: room, SenderID: "alice", Target: 1, Content: "third"}, 3},
	}
	for name, repeat := range repeats {
		want := chat.Stored{MessageID: chat.MessageID(room, repeat.seq), Seq: repeat.seq, Duplicate: true}
		if got := h.one(repeat.draft); got != want {
			t.Errorf("repeated %s: %+v, want %+v", name, got, want)
		}
	}
	if never := h.say(room, "bob", "as it was"); h.one(edit(room, "bob", never.Seq, "as it was")).Seq != never.Seq {
		t.Error("an edit to the first content names another event than the message")
	}
	if got := h.head(roomLog(room)); got != 4 {
		t.Errorf("the head is %d, want 4: repeats store nothing", got)
	}
	page, err := h.store.RoomsOf(t.Context(), "bob", 10, nil)
	if err != nil || len(page) != 1 || page[0].Unread != 1 {
		t.Errorf("bob's rooms are %+v, error %v; want 1 unread: an edit is no message", page, err)
	}
}

func testRecall(t *testing.T, h *house) {
	room := h.room("alice", "bob")
	h.append(unit(chat.Draft{
		Room: room, SenderID: "alice", Type: chat.TypeText, Content: "secret", ClientMessageID: "m",
		Attachment: json.RawMessage(`{"url":"secret"}`),
	}))
	h.one(edit(room, "alice", 1, "a secret too"))
	h.say(room, "bob", "what?")
	appended := h.append(unit(recall(room, "alice", 1)))
	if got := appended.Outcomes[0].Stored[0]; got != (chat.Stored{MessageID: chat.MessageID(room, 4), Seq: 4}) {
		t.Errorf("the recall is stored as %+v, want seq 4", got)
	}
	if e := appended.Events[0]; len(appended.Events) != 1 || e.Kind != chat.KindRecalled || e.Target != 1 ||
		e.UserID != "alice" || e.Content != "" {
		t.Errorf("to be published: %+v", appended.Events)
	}
	log := h.history(roomLog(room))
	if m := log[0]; !m.Recalled || m.Content != "" || len(m.Attachment) > 0 || m.ClientMessageID != "m" {
		t.Errorf("the message is %+v, want nothing left of it", m)
	}
	if e := log[1]; e.Kind != chat.KindEdited || !e.Recalled || e.Content != "" {
		t.Errorf("the edit is %+v, want nothing left of it", e)
	}
	if e := log[3]; e.Kind != chat.KindRecalled || e.Target != 1 || e.Recalled || log[2].Recalled {
		t.Errorf("the recall is %+v after %+v", e, log[2])
	}
	if err := h.rooms.RemoveMember(t.Context(), "alice", room, "alice"); err != nil {
		t.Fatal(err)
	}
	want := chat.Stored{MessageID: chat.MessageID(room, 4), Seq: 4, Duplicate: true}
	for _, within := range []time.Duration{time.Minute, 0} {
		again := recall(room, "alice", 1)
		again.Within = within
		if got := h.one(again); got != want {
			t.Errorf("recalled again, within %v: %+v, want %+v", within, got, want)
		}
	}
	first := h.one(withID(text(room, "alice", "another"), "m"))
	if first != (chat.Stored{MessageID: chat.MessageID(room, 1), Seq: 1, Duplicate: true}) {
		t.Errorf("the clientMessageId of a recalled message gives %+v, want the first one's place", first)
	}
	page, err := h.store.RoomsOf(t.Context(), "bob", 10, nil)
	if err != nil || len(page) != 1 || page[0].Unread != 0 {
		t.Errorf("bob's rooms are %+v, error %v; want nothing unread: it was recalled", page, err)
	}
}

func testRefusedRevisions(t *testing.T, h *house) {
	room, other := h.room("alice", "bob"), h.room("carol", "dave")
	h.say(room, "alice", "text")
	h.append(unit(chat.Draft{Room: room, SenderID: "alice", Type: chat.TypeImage, Content: "caption"}))
	if _, err := h.rooms.AddMembers(t.Context(), "alice", room, []string{"erin"}); err != nil {
		t.Fatal(err)
	}
	h.one(edit(room, "alice", 1, "text, edited"))
	h.say(room, "alice", "to be recalled")
	h.one(recall(room, "alice", 5))
	before := h.history(roomLog(room))
	cases := map[string]struct {
		draft chat.Draft
		code  chat.Code
	}{
		"edit by another":             {edit(room, "bob", 1, "x"), chat.Forbidden},
		"recall by another":           {recall(room, "bob", 1), chat.Forbidden},
		"another's recall again":      {recall(room, "bob", 5), chat.Forbidden},
		"edit to the same by another": {edit(room, "bob", 1, "text, edited"), chat.Forbidden},
		"edit of an image":            {edit(room, "alice", 2, "x"), chat.Invalid},
		"edit of a join":              {edit(room, "erin", 3, "x"), chat.Invalid},
		"recall of a join":            {recall(room, "alice", 3), chat.Invalid},
		"edit of an edit":             {edit(room, "alice", 4, "x"), chat.Invalid},
		"recall of an edit":           {recall(room, "alice", 4), chat.Invalid},
		"edit of a recalled one":      {edit(room, "alice", 5, "x"), chat.Invalid},
		"recall of a recall":          {recall(room, "alice", 6), chat.Invalid},
		"beyond the head":             {recall(room, "alice", 7), chat.Invalid},
		"far beyond the head":         {edit(room, "alice", 1<<62, "x"), chat.Invalid},
		"by a stranger":               {recall(room, "mallory", 1), chat.Forbidden},
		"in a foreign room":           {recall(other, "alice", 1), chat.Forbidden},
		"in no room":                  {recall(other+1000, "alice", 1), chat.Forbidden},
	}
	for name, c := range cases {
		appended := h.append(unit(withID(c.draft, "c-"+name)))
		refusal := appended.Outcomes[0].Err
		if refusal == nil || refusal.Code != c.code || refusal.ClientMessageID != "c-"+name || len(appended.Events) > 0 {
			t.Errorf("%s: %v, want %s", name, refusal, c.code)
		}
	}
	_, err := h.rooms.Members(t.Context(), "mallory", room)
	if got := h.append(unit(recall(room, "mallory", 1))).Outcomes[0].Err; got.Message != chat.Refusal(err).Message {
		t.Errorf("a stranger hears %q, want as for reading: %v", got.Message, err)
	}
	// A unit is all or none, what it changed included.
	h.append(unit(edit(room, "alice", 1, "never"), recall(room, "alice", 2), text(room, "alice", "never"),
		recall(room, "alice", 99)))
	for i, e := range h.history(roomLog(room)) {
		if e.Content != before[i].Content || e.Recalled != before[i].Recalled || !e.EditedAt.Equal(before[i].EditedAt) {
			t.Errorf("refused revisions made %+v of %+v", e, before[i])
		}
	}
	if got := h.head(roomLog(room)); got != 6 {
		t.Errorf("the head is %d, want 6", got)
	}
}

func testRevisionWindows(t *testing.T, h *house) {
	room := h.room("alice", "bob")
	h.say(room, "alice", "x")
	late := func(d chat.Draft, within time.Duration) chat.Draft { d.Within = within; return d }
	for name, draft := range map[string]chat.Draft{
		"edit, too late":     late(edit(room, "alice", 1, "y"), time.Nanosecond),
		"recall, too late":   late(recall(room, "alice", 1), time.Nanosecond),
		"edit, turned off":   late(edit(room, "alice", 1, "y"), 0),
		"recall, turned off": late(recall(room, "alice", 1), 0),
	} {
		refusal := h.append(unit(draft)).Outcomes[0].Err
		if refusal == nil || refusal.Code != chat.Invalid {
			t.Errorf("%s: %v, want INVALID", name, refusal)
		}
	}
	if got := h.one(late(recall(room, "alice", 1), time.Hour)).Seq; got != 2 {
		t.Errorf("in time the recall has seq %d, want 2", got)
	}
}

// testRevisionsInOneBatch has targets that the same transaction stores.
func testRevisionsInOneBatch(t *testing.T, h *house) {
	room := h.room("alice", "bob")
	appended := h.append(
		unit(text(room, "alice", "a"), recall(room, "alice", 1)), // 1, 2
		unit(text(room, "bob", "b")),                             // 3
		unit(edit(room, "bob", 3, "c")),                          // 4
		unit(edit(room, "bob", 3, "d")),                          // 5
		unit(text(room, "bob", "secret"), edit(room, "bob", 6, "secret"), edit(room, "bob", 6, "secret 2")), // 6, -, 7
		unit(recall(room, "bob", 6)), // 8
		unit(recall(room, "bob", 6)), // again
	)
	want := [][]int64{{1, 2}, {3}, {4}, {5}, {6, 6, 7}, {8}, {8}}
	for i, outcome := range appended.Outcomes {
		if outcome.Err != nil || len(outcome.Stored) != len(want[i]) {
			t.Fatalf("unit %d: %+v, error %v", i, outcome.Stored, outcome.Err)
		}
		for j, stored := range outcome.Stored {
			if stored.Seq != want[i][j] {
				t.Errorf("unit %d: %+v, want seqs %v", i, outcome.Stored, want[i])
			}
		}
	}
	log := h.history(roomLog(room))
	for i, c := range []struct {
		content  string
		recalled bool
	}{{"", true}, {"", false}, {"d", false}, {"c", false}, {"d", false}, {"", true}, {"", true}, {"", false}} {
		if log[i].Content != c.content || log[i].Recalled != c.recalled {
			t.Errorf("place %d is %+v, want content %q, recalled %v", i+1, log[i], c.content, c.recalled)
		}
	}
}

// testConcurrentRecalls recalls one message from all instances at once: one recall is stored, all others name it.
func testConcurrentRecalls(t *testing.T, h *house) {
	room := h.room("alice", "bob")
	h.say(room, "alice", "x")
	var writers sync.WaitGroup
	var first atomic.Int64
	for range h.features.Replicas {
		store := h.open()
		defer store.Close()
		for range h.features.Writers {
			writers.Go(func() {
				var appended chat.Appended
				err := patiently(func() (err error) {
					appended, err = store.Append(t.Context(), [][]chat.Draft{unit(recall(room, "alice", 1))})
					return err
				})
				if err != nil || appended.Outcomes[0].Err != nil || appended.Outcomes[0].Stored[0].Seq != 2 {
					t.Errorf("recall: %+v, error %v", appended.Outcomes, err)
					return
				}
				if !appended.Outcomes[0].Stored[0].Duplicate {
					first.Add(1)
				}
			})
		}
	}
	writers.Wait()
	if first.Load() != 1 || h.head(roomLog(room)) != 2 {
		t.Errorf("%d recalls were the first, the head is %d; want 1 and 2", first.Load(), h.head(roomLog(room)))
	}
}
