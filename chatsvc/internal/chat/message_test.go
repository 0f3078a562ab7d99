package chat_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/proto/identity"
)

func TestDraftValidate(t *testing.T) {
	object := func(n int) json.RawMessage { return json.RawMessage(`{"a":"` + strings.Repeat("x", n-8) + `"}`) }
	cases := []struct {
		name   string
		change func(d *chat.Draft)
		want   chat.Code
		says   string
	}{
		{"a text", func(*chat.Draft) {}, "", ""},
		{"no type is text", func(d *chat.Draft) { d.Type = "" }, "", ""},
		{"no type, no content", func(d *chat.Draft) { d.Type, d.Content = "", "" }, chat.Invalid, "content"},
		{"text without content", func(d *chat.Draft) { d.Content = "" }, chat.Invalid, "content"},
		{"image without anything", func(d *chat.Draft) { d.Type, d.Content = "IMAGE", "" }, chat.Invalid, "attachment"},
		{"image with content", func(d *chat.Draft) { d.Type = "IMAGE" }, "", ""},
		{"voice with an attachment only", func(d *chat.Draft) {
			d.Type, d.Content, d.Attachment = "VOICE", "", json.RawMessage(` {"url":"x"}`)
		}, "", ""},
		{"system", func(d *chat.Draft) { d.Type = "SYSTEM" }, chat.Invalid, "TEXT, IMAGE or VOICE"},
		{"unknown type", func(d *chat.Draft) { d.Type = "VIDEO" }, chat.Invalid, "TEXT, IMAGE or VOICE"},
		{"type in small letters", func(d *chat.Draft) { d.Type = "text" }, chat.Invalid, "TEXT, IMAGE or VOICE"},
		{"content at the limit", func(d *chat.Draft) { d.Content = strings.Repeat("x", 16<<10) }, "", ""},
		{"content over the limit", func(d *chat.Draft) { d.Content = strings.Repeat("x", 16<<10+1) }, chat.TooLarge, "16384"},
		{"NUL in content", func(d *chat.Draft) { d.Content = "a\x00b" }, chat.Invalid, "NUL"},
		{"content that is no UTF-8", func(d *chat.Draft) { d.Content = "a\xff" }, chat.Invalid, "UTF-8"},
		{"id at the limit", func(d *chat.Draft) { d.ClientMessageID = strings.Repeat("x", 128) }, "", ""},
		{"id over the limit", func(d *chat.Draft) { d.ClientMessageID = strings.Repeat("x", 129) }, chat.Invalid, "128"},
		{"id with a control character", func(d *chat.Draft) { d.ClientMessageID = "a\nb" }, chat.Invalid, "control"},
		{"attachment at the limit", func(d *chat.Draft) { d.Attachment = object(8 << 10) }, "", ""},
		{"attachment over the limit", func(d *chat.Draft) { d.Attachment = object(8<<10 + 1) }, chat.TooLarge, "8192"},
		{"attachment is a list", func(d *chat.Draft) { d.Attachment = json.RawMessage(`[1]`) }, chat.Invalid, "object"},
		{"attachment is cut short", func(d *chat.Draft) { d.Attachment = json.RawMessage(`{"a":`) }, chat.Invalid, "object"},
		{"attachment is white space", func(d *chat.Draft) { d.Attachment = json.RawMessage("  ") }, chat.Invalid, "object"},
		{"NUL in attachment", func(d *chat.Draft) { d.Attachment = json.RawMessage(`{"a":"\\\u0000"}`) }, chat.Invalid, "NUL"},
		{"NUL in a key", func(d *chat.Draft) { d.Attachment = json.RawMessage(`{"\u0000":1}`) }, chat.Invalid, "NUL"},
		{"the letters of an escape", func(d *chat.Draft) { d.Attachment = json.RawMessage(`{"a":"\\u0000\n"}`) }, "", ""},
		{
			"attachment that is no UTF-8", func(d *chat.Draft) { d.Attachment = json.RawMessage("{\"a\":\"\xff\"}") },
			chat.Invalid, "UTF-8",
		},
		{"no room", func(d *chat.Draft) { d.Room = 0 }, chat.Forbidden, "room 0"},
		{"an inbox", func(d *chat.Draft) { d.Room, d.Inbox = 0, "bob" }, chat.Forbidden, ""},
		{"a room and an inbox", func(d *chat.Draft) { d.Inbox = "bob" }, chat.Invalid, "inbox"},
		{"no sender", func(d *chat.Draft) { d.SenderID = "" }, chat.Invalid, "user id"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := chat.Draft{Room: 1, SenderID: "alice", Type: "TEXT", Content: "hello"}
			c.change(&d)
			err := d.Validate()
			if got := chat.CodeOf(err); got != c.want {
				t.Fatalf("error is %v, want code %q", err, c.want)
			}
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %q does not say %q", err, c.says)
			}
		})
	}
}

// TestUserIDsAreThoseOfIdentity holds the two statements of the rule together.
func TestUserIDsAreThoseOfIdentity(t *testing.T) {
	ids := []string{
		"", "a", "用户", "a b", "a\x00", "a\nb", "\x7f", "\u0085", "\u200b", "\xff", strings.Repeat("x", 128),
		strings.Repeat("x", 129), strings.Repeat("é", 64), strings.Repeat("é", 65),
	}
	for _, id := range ids {
		ours, theirs := chat.ValidUserID(id), identity.ValidUserID(id)
		if (ours == nil) != (theirs == nil) {
			t.Errorf("%q: chat says %v, identity says %v", id, ours, theirs)
		}
	}
}

// collector is an Appender that keeps the units.
type collector struct{ units [][]chat.Draft }

func (c *collector) Submit(unit []chat.Draft, done func([]chat.Stored, error)) {
	c.units = append(c.units, unit)
	done(make([]chat.Stored, len(unit)), nil)
}

func TestSubmit(t *testing.T) {
	good := chat.Draft{Room: 1, SenderID: "alice", Content: "x", Attachment: json.RawMessage(" { \"a\" : 1 }\n")}
	bad := chat.Draft{Room: 1, SenderID: "alice", Type: "X", ClientMessageID: "id"}
	cases := []struct {
		name   string
		unit   []chat.Draft
		code   chat.Code
		action int
	}{
		{"nothing", nil, "", 0},
		{"two", []chat.Draft{good, good}, "", 0},
		{"the second is bad", []chat.Draft{good, bad}, chat.Invalid, 1},
		{"as many as may be", make([]chat.Draft, chat.MaxUnit), "", 0},
		{"too many", make([]chat.Draft, chat.MaxUnit+1), chat.TooLarge, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if len(c.unit) >= chat.MaxUnit {
				for i := range c.unit {
					c.unit[i] = good
				}
			}
			appender := new(collector)
			calls := 0
			chat.NewMessages(appender, nil).Submit(c.unit, func(stored []chat.Stored, err error) {
				calls++
				if chat.CodeOf(err) != c.code || (err == nil && len(stored) != len(c.unit)) {
					t.Errorf("answered %v, %v; want code %q", stored, err, c.code)
				}
				if refusal, ok := errors.AsType[*chat.Error](err); ok && c.code == chat.Invalid &&
					(refusal.Action != c.action || refusal.ClientMessageID != "id") {
					t.Errorf("refusal is about action %d, id %q", refusal.Action, refusal.ClientMessageID)
				}
			})
			if calls != 1 {
				t.Errorf("answered %d times", calls)
			}
			if want := c.code == "" && len(c.unit) > 0; (len(appender.units) == 1) != want {
				t.Fatalf("%d units were submitted", len(appender.units))
			}
			for _, unit := range appender.units {
				if unit[0].Type != chat.TypeText || string(unit[0].Attachment) != `{"a":1}` {
					t.Errorf("submitted is %+v", unit[0])
				}
			}
		})
	}
}

func TestNotificationValidate(t *testing.T) {
	cases := []struct {
		name string
		note chat.Notification
		want chat.Code
	}{
		{"good", chat.Notification{UserID: "bob", Title: "t", Data: json.RawMessage(`{}`)}, ""},
		{"no user", chat.Notification{Title: "t"}, chat.Invalid},
		{"nothing to say", chat.Notification{UserID: "bob"}, chat.Invalid},
		{"long type", chat.Notification{UserID: "bob", Title: "t", Type: strings.Repeat("x", 65)}, chat.Invalid},
		{"long id", chat.Notification{UserID: "bob", Title: "t", ID: strings.Repeat("x", 129)}, chat.Invalid},
		{"NUL", chat.Notification{UserID: "bob", Title: "t\x00"}, chat.Invalid},
		{"data is no object", chat.Notification{UserID: "bob", Title: "t", Data: json.RawMessage(`1`)}, chat.Invalid},
		{"long content", chat.Notification{UserID: "bob", Content: strings.Repeat("x", 16<<10+1)}, chat.TooLarge},
	}
	for _, c := range cases {
		appender := new(collector)
		_, err := chat.NewInbox(appender, nil).Notify(t.Context(), c.note)
		if got := chat.CodeOf(err); got != c.want || (len(appender.units) == 1) != (c.want == "") {
			t.Errorf("%s: error is %v, want %q; %d submitted", c.name, err, c.want, len(appender.units))
		}
	}
}
