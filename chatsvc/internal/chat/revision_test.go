package chat_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

func TestRevisionValidate(t *testing.T) {
	edit := chat.Draft{Kind: chat.KindEdited, Room: 1, SenderID: "alice", Target: 7, Content: "x"}
	recall := chat.Draft{Kind: chat.KindRecalled, Room: 1, SenderID: "alice", Target: 7}
	for name, c := range map[string]struct {
		draft  chat.Draft
		change func(*chat.Draft)
		code   chat.Code // empty: valid
		says   string
	}{
		"edit":                      {edit, func(*chat.Draft) {}, "", ""},
		"recall":                    {recall, func(*chat.Draft) {}, "", ""},
		"edit with an id":           {edit, func(d *chat.Draft) { d.ClientMessageID = "c" }, "", ""},
		"edit without a target":     {edit, func(d *chat.Draft) { d.Target = 0 }, chat.Invalid, "seq is missing: name the message to edit"},
		"recall of a negative seq":  {recall, func(d *chat.Draft) { d.Target = -1 }, chat.Invalid, "to recall"},
		"edit to nothing":           {edit, func(d *chat.Draft) { d.Content = "" }, chat.Invalid, "recall the message"},
		"edit that is too large":    {edit, func(d *chat.Draft) { d.Content = strings.Repeat("x", chat.MaxContent+1) }, chat.TooLarge, "content"},
		"edit with a NUL":           {edit, func(d *chat.Draft) { d.Content = "\x00" }, chat.Invalid, "NUL"},
		"edit of the type":          {edit, func(d *chat.Draft) { d.Type = chat.TypeImage }, chat.Invalid, "keeps its type"},
		"edit of the attachment":    {edit, func(d *chat.Draft) { d.Attachment = json.RawMessage(`{}`) }, chat.Invalid, "keeps its type"},
		"recall with content":       {recall, func(d *chat.Draft) { d.Content = "x" }, chat.Invalid, "no content"},
		"id of 1 MB":                {recall, func(d *chat.Draft) { d.ClientMessageID = strings.Repeat("x", 1<<20) }, chat.Invalid, "at most 128"},
		"no room":                   {recall, func(d *chat.Draft) { d.Room = 0 }, chat.Forbidden, "room 0"},
		"a kind that nobody sends":  {recall, func(d *chat.Draft) { d.Kind = chat.KindMember }, chat.Invalid, "cannot be sent"},
		"a kind that nobody stores": {recall, func(d *chat.Draft) { d.Kind = chat.KindRead }, chat.Invalid, "cannot be sent"},
	} {
		draft := c.draft
		c.change(&draft)
		err := draft.Validate()
		if chat.CodeOf(err) != c.code || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q that says %q", name, err, c.code, c.says)
		}
	}
}

// TestLedgerTakesRevisionsBack judges units that change what came in the same batch, and are refused after that.
func TestLedgerTakesRevisionsBack(t *testing.T) {
	const room = 42
	now := time.Date(2026, 11, 23, 5, 14, 0, 0, time.UTC)
	ledger := chat.NewLedger(now)
	ledger.AddHead(chat.LogRef{Room: room}, room, 1)
	ledger.AddMember(room, "alice", chat.Standing{Role: chat.RoleOwner}, true)
	ledger.AddMember(room, "bob", chat.Standing{Role: chat.RoleMember}, true)
	ledger.AddTarget(room, 1, chat.Target{
		Kind: chat.KindMessage, SenderID: "alice", Type: chat.TypeText, Content: "one", At: now.Add(-time.Minute),
	})
	say := func(user, content string) chat.Draft {
		return chat.Draft{Room: room, SenderID: user, Type: chat.TypeText, Content: content}
	}
	edit := func(user string, seq int64, content string) chat.Draft {
		return chat.Draft{
			Kind: chat.KindEdited, Room: room, SenderID: user, Target: seq, Content: content, Within: time.Minute,
		}
	}
	recall := func(user string, seq int64) chat.Draft {
		return chat.Draft{Kind: chat.KindRecalled, Room: room, SenderID: user, Target: seq, Within: time.Minute}
	}
	appended := ledger.Judge([][]chat.Draft{
		{edit("alice", 1, "two")}, // seq 2
		{edit("alice", 1, "three"), say("alice", "a"), recall("alice", 4), recall("alice", 1), recall("bob", 1)}, // refused
		{say("bob", "b")},                       // seq 3
		{say("bob", "c")},                       // seq 4, which the refused unit had used
		{recall("alice", 4)},                    // bob's now
		{edit("alice", 1, "two")},               // is so
		{edit("bob", 4, "d"), recall("bob", 4)}, // seq 5 and 6
		{edit("bob", 4, "e")},                   // too late
		{recall("bob", 3), recall("bob", 3)},    // seq 7, and again
	})
	want := []struct {
		code chat.Code
		seqs []int64
	}{
		{"", []int64{2}},
		{chat.Forbidden, nil},
		{"", []int64{3}},
		{"", []int64{4}},
		{chat.Forbidden, nil},
		{"", []int64{2}},
		{"", []int64{5, 6}},
		{chat.Invalid, nil},
		{"", []int64{7, 7}},
	}
	for i, outcome := range appended.Outcomes {
		code := chat.Code("")
		if outcome.Err != nil {
			code = outcome.Err.Code
		}
		if code != want[i].code || len(outcome.Stored) != len(want[i].seqs) {
			t.Fatalf("unit %d: %+v, error %v; want %+v", i, outcome.Stored, outcome.Err, want[i])
		}
		for j, stored := range outcome.Stored {
			if stored.Seq != want[i].seqs[j] {
				t.Errorf("unit %d: %+v, want seqs %v", i, outcome.Stored, want[i].seqs)
			}
		}
	}
	if repeat := appended.Outcomes[5].Stored[0]; !repeat.Duplicate {
		t.Errorf("the edit that changes nothing is %+v, want a duplicate", repeat)
	}
	revised := ledger.Revised()
	if len(revised) != 3 ||
		revised[0] != (chat.Revision{LogID: room, Seq: 1, Content: "two", EditedBy: 2, EditedAt: now}) ||
		revised[1] != (chat.Revision{LogID: room, Seq: 3, RecalledBy: 7}) ||
		revised[2] != (chat.Revision{LogID: room, Seq: 4, EditedBy: 5, RecalledBy: 6}) {
		t.Errorf("revised %+v", revised)
	}
}

// taker is an Appender that keeps the last unit and stores nothing.
type taker struct{ unit []chat.Draft }

func (a *taker) Submit(unit []chat.Draft, done func([]chat.Stored, error)) {
	a.unit = unit
	done(make([]chat.Stored, len(unit)), nil)
}

// TestSubmitSetsTheWindows, whatever the caller has put there.
func TestSubmitSetsTheWindows(t *testing.T) {
	drafts := func() []chat.Draft {
		return []chat.Draft{
			{Room: 1, SenderID: "alice", Content: "x", Within: time.Hour},
			{Kind: chat.KindEdited, Room: 1, SenderID: "alice", Target: 7, Content: "x", Within: time.Hour},
			{Kind: chat.KindRecalled, Room: 1, SenderID: "alice", Target: 7, Within: time.Hour},
		}
	}
	appender := &taker{}
	messages := chat.NewMessages(appender, nil)
	for name, c := range map[string]struct {
		messages *chat.Messages
		want     chat.Windows
	}{
		"default":    {messages, chat.DefaultWindows},
		"configured": {messages.Within(chat.Windows{Edit: time.Minute}), chat.Windows{Edit: time.Minute}},
	} {
		c.messages.Submit(drafts(), func(_ []chat.Stored, err error) {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
		if u := appender.unit; u[0].Within != 0 || u[1].Within != c.want.Edit || u[2].Within != c.want.Recall {
			t.Errorf("%s: windows are %v, %v, %v, want %+v", name, u[0].Within, u[1].Within, u[2].Within, c.want)
		}
		if appender.unit[1].Type != "" || appender.unit[0].Type != chat.TypeText {
			t.Errorf("%s: types are %q and %q", name, appender.unit[0].Type, appender.unit[1].Type)
		}
	}
}
