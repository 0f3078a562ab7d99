package rpc_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

func edit(room int64, body string) *chatv1.Action {
	return &chatv1.Action{
		Verb: chatv1.Verb_VERB_EDIT, ChatRoomId: room, ContentType: "application/json", Body: []byte(body),
	}
}

func recall(room int64, body string) *chatv1.Action {
	return &chatv1.Action{Verb: chatv1.Verb_VERB_RECALL, ChatRoomId: room, Body: []byte(body)}
}

// shown is what clients see of an event.
func shown(t *testing.T, e *chatv1.Event) map[string]any {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(e.GetJson(), &body); err != nil {
		t.Fatalf("event is no JSON: %v", err)
	}
	return body
}

func TestRelayEditAndRecall(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room := r.room("the room", "bob")
	l := r.line()
	l.stored(l.send("bob", say(room, `{"content":"one","attachment":{"x":1},"clientMessageId":"m"}`)))
	edited := l.stored(l.send("bob", edit(room, `{"seq":1,"content":"two","clientMessageId":"e","senderId":"alice"}`)))
	if edited[0].GetSeq() != 2 || edited[0].GetMessageId() != chat.MessageID(room, 2) || edited[0].GetDuplicate() {
		t.Errorf("the edit is stored as %v, want seq 2", edited[0])
	}
	if body := shown(t, r.history("alice", room)[0]); body["content"] != "two" || body["editedAt"] == nil {
		t.Errorf("after the edit the message is %v", body)
	}
	for _, duplicate := range []bool{false, true} {
		got := l.stored(l.send("bob", recall(room, `{"seq":1}`)))[0]
		if got.GetSeq() != 3 || got.GetDuplicate() != duplicate {
			t.Errorf("the recall is stored as %v, want seq 3, duplicate %v", got, duplicate)
		}
	}
	history := r.history("alice", room)
	for i, want := range []chatv1.EventKind{
		chatv1.EventKind_EVENT_KIND_MESSAGE, chatv1.EventKind_EVENT_KIND_EDITED, chatv1.EventKind_EVENT_KIND_RECALLED,
	} {
		if e := history[i]; e.GetKind() != want || e.GetUserId() != "bob" || strings.Contains(string(e.GetJson()), "two") {
			t.Errorf("place %d is %v, want %v without its content", i+1, e, want)
		}
	}
	if history[1].GetTargetSeq() != 1 || history[2].GetTargetSeq() != 1 || history[0].GetTargetSeq() != 0 {
		t.Errorf("targets of %v", history)
	}
	if body := shown(t, history[0]); body["recalled"] != true || body["content"] != nil || body["attachment"] != nil {
		t.Errorf("after the recall the message is %v", body)
	}
	snapshot, err := r.relay.Subscribe(r.ctx(), &chatv1.SubscribeRequest{
		UserId: "alice", Log: roomLog(room), LastSeq: new(int64),
	})
	if err != nil || len(snapshot.GetEvents()) != 3 || shown(t, snapshot.GetEvents()[0])["recalled"] != true {
		t.Errorf("resume gives %v, error %v; want what history shows", snapshot, err)
	}
}

// A command that sends, and recalls what an earlier one on the stream has sent, takes effect in that order.
func TestRelayRecallsInOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room := r.room("the room", "bob")
	l := r.line()
	var commands []*chatv1.RelayCommand
	for i := range int64(50) { // one request: they are gathered into few transactions
		body := `{"seq":` + strconv.FormatInt(2*i+1, 10) + `}`
		commands = append(commands,
			&chatv1.RelayCommand{Id: uint64(2*i + 1), UserId: "bob", Actions: []*chatv1.Action{say(room, `{"content":"x"}`)}},
			&chatv1.RelayCommand{Id: uint64(2*i + 2), UserId: "bob", Actions: []*chatv1.Action{recall(room, body)}})
	}
	l.sendAll(commands...)
	for _, c := range commands {
		if got := l.stored(c.GetId())[0].GetSeq(); got != int64(c.GetId()) { //nolint:gosec // small
			t.Errorf("command %d is stored at %d", c.GetId(), got)
		}
	}
	for _, e := range r.history("alice", room) {
		if e.GetKind() == chatv1.EventKind_EVENT_KIND_MESSAGE && shown(t, e)["recalled"] != true {
			t.Errorf("message %d is not recalled", e.GetSeq())
		}
	}
}

func TestRelayRefusesBadRevisions(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room := r.room("the room", "bob")
	r.say("alice", room, "of alice")
	r.say("bob", room, "of bob")
	l := r.line()
	for name, tc := range map[string]struct {
		action *chatv1.Action
		reason chatv1.Reason
		text   string
	}{
		"no body":                 {recall(room, ""), badlyMade, "body is empty"},
		"no seq":                  {recall(room, `{}`), badlyMade, "seq is missing"},
		"seq 0":                   {edit(room, `{"seq":0,"content":"x"}`), badlyMade, "seq is missing"},
		"a negative seq":          {recall(room, `{"seq":-1}`), badlyMade, "seq is missing"},
		"seq is a string":         {recall(room, `{"seq":"2"}`), badlyMade, "seq must be a whole number"},
		"seq over 64 bits":        {recall(room, `{"seq":9223372036854775808}`), badlyMade, "seq must be a whole number"},
		"an array":                {edit(room, `[2]`), badlyMade, "must be a JSON object"},
		"no content":              {edit(room, `{"seq":2}`), badlyMade, "an edit needs content"},
		"content is a number":     {edit(room, `{"seq":2,"content":7}`), badlyMade, "content must be a string"},
		"content too large":       {edit(room, `{"seq":2,"content":"`+strings.Repeat("x", 17<<10)+`"}`), tooLarge, "16384"},
		"id of 60 KiB":            {recall(room, `{"seq":2,"clientMessageId":"`+strings.Repeat("x", 60<<10)+`"}`), badlyMade, "at most 128"},
		"body too large":          {recall(room, strings.Repeat(" ", 65<<10)), tooLarge, "65536"},
		"of another":              {recall(room, `{"seq":1}`), forbidden, "only the sender of message 1 may recall it"},
		"edit of another":         {edit(room, `{"seq":1,"content":"x"}`), forbidden, "only the sender of message 1 may edit it"},
		"of nothing":              {recall(room, `{"seq":3}`), badlyMade, "no message with the seq 3 to recall"},
		"in a room that is not":   {recall(room+1000, `{"seq":1}`), forbidden, "does not exist"},
		"text":                    {&chatv1.Action{Verb: chatv1.Verb_VERB_EDIT, ChatRoomId: room, ContentType: "text/plain", Body: []byte("x")}, badlyMade, "use application/json"},
		"another content type":    {&chatv1.Action{Verb: chatv1.Verb_VERB_RECALL, ChatRoomId: room, ContentType: "image/png"}, badlyMade, "image/png"},
		"with what cannot be UTF": {recall(room, "{\"seq\":2,\"x\":\"\xff\"}"), badlyMade, "UTF-8"},
	} {
		refusal := l.refused(l.send("bob", tc.action))
		if refusal.GetReason() != tc.reason {
			t.Errorf("%s: refused as %v, want %v", name, refusal, tc.reason)
		}
		has(t, name+": "+refusal.GetMessage(), tc.text)
	}
	if refusal := l.refused(l.send("bob", recall(room, `{"seq":1,"clientMessageId":"c"}`))); refusal.GetClientMessageId() != "c" {
		t.Errorf("refused as %v, want the clientMessageId", refusal)
	}
	if got := len(r.history("bob", room)); got != 2 {
		t.Errorf("refused revisions left something: %d events, want 2", got)
	}
}

func TestEditAndRecallCalls(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room := r.room("the room", "bob")
	seq := r.say("bob", room, "one")
	in := &chatv1.EditMessageRequest{ChatRoomId: room, Seq: seq, Content: "two", ClientMessageId: "e"}
	for _, duplicate := range []bool{false, true} {
		out, err := r.chat.EditMessage(r.as("bob"), in)
		if err != nil || out.GetSeq() != 2 || out.GetDuplicate() != duplicate || out.GetMessageId() != chat.MessageID(room, 2) {
			t.Errorf("edited as %v, %v; want seq 2, duplicate %v", out, err, duplicate)
		}
	}
	_, err := r.chat.EditMessage(r.as("alice"), &chatv1.EditMessageRequest{ChatRoomId: room, Seq: seq, Content: "x"})
	if status.Code(err) != codes.PermissionDenied || !strings.HasPrefix(told(err), "FORBIDDEN: only the sender") {
		t.Errorf("edit by another: %v", err)
	}
	for _, duplicate := range []bool{false, true} {
		out, err := r.chat.RecallMessage(r.as("bob"), &chatv1.RecallMessageRequest{ChatRoomId: room, Seq: seq})
		if err != nil || out.GetSeq() != 3 || out.GetDuplicate() != duplicate || out.GetMessageId() != chat.MessageID(room, 3) {
			t.Errorf("recalled as %v, %v; want seq 3, duplicate %v", out, err, duplicate)
		}
	}
	_, err = r.chat.EditMessage(r.as("bob"), &chatv1.EditMessageRequest{ChatRoomId: room, Seq: seq, Content: "x"})
	if status.Code(err) != codes.InvalidArgument || !strings.HasPrefix(told(err), "INVALID: message 1 was recalled") {
		t.Errorf("edit after the recall: %v", err)
	}
	for _, missing := range []int64{0, -1, 99} {
		_, err = r.chat.RecallMessage(r.as("bob"), &chatv1.RecallMessageRequest{ChatRoomId: room, Seq: missing})
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("recall of %d: %v, want INVALID", missing, err)
		}
	}
}
