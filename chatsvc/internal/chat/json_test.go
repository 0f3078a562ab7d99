package chat_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

var at = time.Date(2026, 11, 23, 5, 14, 0, 123_999_000, time.UTC)

func message() chat.Event {
	return chat.Event{
		Log: chat.LogRef{Room: 42}, LogID: 42, Seq: 7, Kind: chat.KindMessage, MessageID: "42-7", UserID: "alice",
		Type: chat.TypeText, Content: "你好", At: at,
	}
}

func TestEventJSON(t *testing.T) {
	full := message()
	full.ClientMessageID, full.Attachment = "c-1", json.RawMessage(`{"url":"x","w":1}`)
	near, abroad := message(), message()
	abroad.At = at.In(time.FixedZone("far", 8*3600))
	whole := message()
	whole.At = time.Date(2026, 11, 23, 5, 14, 0, 0, time.UTC)
	state := chat.Event{Log: chat.LogRef{Room: 42}, LogID: 42, MessageID: "random", UserID: "bob", At: at}
	read, delivered, typing, member := state, state, state, state
	read.Kind, read.Mark = chat.KindRead, 7
	delivered.Kind, delivered.Mark = chat.KindDelivered, 7
	typing.Kind = chat.KindTyping
	member.Kind, member.Seq, member.Change = chat.KindMember, 8, chat.Removed
	note := chat.Event{
		Log: chat.LogRef{User: "bob"}, LogID: 9, Seq: 3, Kind: chat.KindNotification, MessageID: "9-3", UserID: "bob",
		Type: "TRADE", Title: "T", Content: "C", At: at,
	}
	named := note
	named.ClientMessageID, named.Attachment = "n-1", json.RawMessage(`{"o":7}`)
	edited, recalled := full, full
	edited.EditedAt = at.Add(time.Minute)
	recalled.EditedAt, recalled.Recalled, recalled.Content, recalled.Attachment = at, true, "", nil
	edit := chat.Event{
		Log: chat.LogRef{Room: 42}, LogID: 42, Seq: 9, Kind: chat.KindEdited, MessageID: "42-9", UserID: "alice",
		Target: 7, Content: "您好", At: at,
	}
	namedEdit, goneEdit, recall := edit, edit, edit
	namedEdit.ClientMessageID = "c-2"
	goneEdit.Recalled, goneEdit.Content = true, ""
	recall.Kind, recall.Content = chat.KindRecalled, ""
	cases := map[string]struct {
		event chat.Event
		want  string
	}{
		"message that was edited": {edited, `{"event":"MESSAGE","chatRoomId":"42","seq":7,"messageId":"42-7",` +
			`"clientMessageId":"c-1","senderId":"alice","type":"TEXT","content":"你好","attachment":{"url":"x","w":1},` +
			`"editedAt":"2026-11-23T05:15:00.123Z","sentAt":"2026-11-23T05:14:00.123Z"}`},
		"message that was recalled": {recalled, `{"event":"MESSAGE","chatRoomId":"42","seq":7,"messageId":"42-7",` +
			`"clientMessageId":"c-1","senderId":"alice","type":"TEXT","recalled":true,"sentAt":"2026-11-23T05:14:00.123Z"}`},
		"edit": {edit, `{"event":"EDITED","chatRoomId":"42","seq":9,"targetSeq":7,"senderId":"alice","content":"您好",` +
			`"at":"2026-11-23T05:14:00.123Z"}`},
		"edit with clientMessageId": {namedEdit, `{"event":"EDITED","chatRoomId":"42","seq":9,"targetSeq":7,` +
			`"clientMessageId":"c-2","senderId":"alice","content":"您好","at":"2026-11-23T05:14:00.123Z"}`},
		"edit of what was recalled": {goneEdit, `{"event":"EDITED","chatRoomId":"42","seq":9,"targetSeq":7,` +
			`"senderId":"alice","recalled":true,"at":"2026-11-23T05:14:00.123Z"}`},
		"recall": {recall, `{"event":"RECALLED","chatRoomId":"42","seq":9,"targetSeq":7,"senderId":"alice",` +
			`"at":"2026-11-23T05:14:00.123Z"}`},
		"message": {message(), `{"event":"MESSAGE","chatRoomId":"42","seq":7,"messageId":"42-7","senderId":"alice",` +
			`"type":"TEXT","content":"你好","sentAt":"2026-11-23T05:14:00.123Z"}`},
		"message with everything": {full, `{"event":"MESSAGE","chatRoomId":"42","seq":7,"messageId":"42-7",` +
			`"clientMessageId":"c-1","senderId":"alice","type":"TEXT","content":"你好","attachment":{"url":"x","w":1},` +
			`"sentAt":"2026-11-23T05:14:00.123Z"}`},
		"time of another zone": {abroad, string(near.JSON())},
		"time without fraction": {whole, `{"event":"MESSAGE","chatRoomId":"42","seq":7,"messageId":"42-7",` +
			`"senderId":"alice","type":"TEXT","content":"你好","sentAt":"2026-11-23T05:14:00.000Z"}`},
		"read": {read, `{"event":"READ","chatRoomId":"42","userId":"bob","lastReadSeq":7,` +
			`"at":"2026-11-23T05:14:00.123Z"}`},
		"delivered": {delivered, `{"event":"DELIVERED","chatRoomId":"42","userId":"bob","deliveredSeq":7,` +
			`"at":"2026-11-23T05:14:00.123Z"}`},
		"typing": {typing, `{"event":"TYPING","chatRoomId":"42","userId":"bob","at":"2026-11-23T05:14:00.123Z"}`},
		"member": {member, `{"event":"MEMBER","chatRoomId":"42","seq":8,"userId":"bob","change":"removed",` +
			`"at":"2026-11-23T05:14:00.123Z"}`},
		"notification": {note, `{"event":"NOTIFICATION","seq":3,"notificationId":"9-3","title":"T","content":"C",` +
			`"type":"TRADE","at":"2026-11-23T05:14:00.123Z"}`},
		"notification with everything": {named, `{"event":"NOTIFICATION","seq":3,"notificationId":"n-1","title":"T",` +
			`"content":"C","type":"TRADE","data":{"o":7},"at":"2026-11-23T05:14:00.123Z"}`},
	}
	for name, c := range cases {
		if got := string(c.event.JSON()); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

func TestEventJSONEscapes(t *testing.T) {
	cases := map[string]string{
		"quotes":       `"` + `\`,
		"line ends":    "a\r\n\tb\b\f",
		"controls":     "\x00\x01\x1f\x7f",
		"separators":   "\u2028 \u2029 \u2027 \u202a",
		"markup":       "<script>&amp;</script>",
		"emoji":        "👩‍👩‍👧 \U0010ffff",
		"invalid":      "a\xffb\xe2\x80",
		"empty":        "",
		"replacement":  "\ufffd",
		"end of plane": "\uffff",
	}
	for name, text := range cases {
		checkRoundTrip(t, name, text)
	}
}

func FuzzEventJSON(f *testing.F) {
	f.Add("a\"\\\n\u2028\x00\xff")
	f.Fuzz(func(t *testing.T, text string) { checkRoundTrip(t, "fuzz", text) })
}

// checkRoundTrip encodes the text in every field that may hold one and reads it back with the standard library.
func checkRoundTrip(t *testing.T, name, text string) {
	t.Helper()
	e := message()
	e.Content, e.UserID, e.ClientMessageID = text, text, "x"+text
	encoded := e.JSON()
	var got struct{ Content, SenderID, ClientMessageID string }
	if err := json.Unmarshal(encoded, &got); err != nil {
		t.Fatalf("%s: %s: %v", name, encoded, err)
	}
	want := string([]rune(text))
	if got.Content != want || got.SenderID != want || got.ClientMessageID != "x"+want {
		t.Errorf("%s: read back %+v, want %q", name, got, want)
	}
	if !utf8.Valid(encoded) || strings.ContainsAny(string(encoded), "\u2028\u2029\n\r\x00") {
		t.Errorf("%s: %q has what it must not have as it is", name, encoded)
	}
}

func TestEventJSONAllocatesOnce(t *testing.T) {
	e := message()
	e.Content = strings.Repeat("wörd \"x\" ", 100)
	if n := testing.AllocsPerRun(200, func() { e.JSON() }); n > 1.5 {
		t.Errorf("JSON allocates %.1f times, want once", n)
	}
}

func BenchmarkEventJSON(b *testing.B) {
	e := message()
	e.Content, e.ClientMessageID = strings.Repeat("x", 200), strings.Repeat("c", 32)
	b.ReportAllocs()
	for b.Loop() {
		e.JSON()
	}
}
