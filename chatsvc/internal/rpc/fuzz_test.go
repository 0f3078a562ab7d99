package rpc_test

import (
	"encoding/json"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/rpc"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// FuzzBody: whatever a client writes, it is refused in words, or becomes drafts of that user in that room, which once they
// are valid are shown as the JSON object that was meant.
func FuzzBody(f *testing.F) {
	for _, body := range []string{
		`{"type":"TEXT","content":"你好","clientMessageId":"1"}`, `{"content":"\ud800\u0000"}`, `{"seq":7,"content":"x"}`,
		`{"attachment":{"a":{"b":[1e999]}},"type":"IMAGE"}`, `{"seq":1e400}`, `{"seq":-1}`, `[]`, ``, "\xff", `{"content":1}`,
		`{"senderId":"mallory","chatRoomId":"7","content":"x","timestamp":0}`,
	} {
		for verb := range 6 {
			f.Add(uint8(verb+1), "application/json", []byte(body)) //nolint:gosec // six verbs
		}
		f.Add(uint8(1), "text/plain;charset=utf-8", []byte(body))
	}
	f.Fuzz(func(t *testing.T, verb uint8, contentType string, body []byte) {
		drafts, err := rpc.Parse(&chatv1.RelayCommand{Id: 1, UserId: "alice", Actions: []*chatv1.Action{{
			Verb: chatv1.Verb(verb), ChatRoomId: 42, ContentType: contentType, Body: body,
		}}})
		if err != nil {
			if refusal := chat.Refusal(err); refusal.Code == chat.Internal || refusal.Message == "" {
				t.Fatalf("the refusal is %v", err)
			}
			return
		}
		for _, d := range drafts {
			if d.Room != 42 || d.SenderID != "alice" || d.Inbox != "" {
				t.Fatalf("the draft is %+v", d)
			}
			if d.Validate() == nil {
				checkShown(t, d)
			}
		}
	})
}

// checkShown makes the event of a valid draft, and reads it as a client does.
func checkShown(t *testing.T, d chat.Draft) {
	t.Helper()
	ledger := chat.NewLedger(time.Now())
	ledger.AddHead(chat.LogRef{Room: 42}, 42, 1)
	ledger.AddMember(42, "alice", chat.Standing{Role: chat.RoleMember}, false)
	ledger.AddTarget(42, d.Target, chat.Target{Kind: chat.KindMessage, SenderID: "alice", Type: chat.TypeText, At: time.Now()})
	d.Within = time.Hour
	for _, e := range ledger.Judge([][]chat.Draft{{d}}).Events {
		shown := e.JSON()
		var read struct{ Event, ChatRoomID, SenderID, Content, ClientMessageID string }
		if err := json.Unmarshal(shown, &read); err != nil || !utf8.Valid(shown) {
			t.Fatalf("%q is no JSON: %v", shown, err)
		}
		if read.ChatRoomID != "42" || read.SenderID != "alice" || read.Content != d.Content ||
			read.ClientMessageID != d.ClientMessageID {
			t.Fatalf("%+v is shown as %s", d, shown)
		}
	}
}
