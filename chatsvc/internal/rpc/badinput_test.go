package rpc_test

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

const (
	badlyMade = chatv1.Reason_REASON_INVALID
	tooLarge  = chatv1.Reason_REASON_TOO_LARGE
	forbidden = chatv1.Reason_REASON_FORBIDDEN
)

// badBodies are what clients may write in place of a message, and what they must be told.
var badBodies = map[string]struct {
	contentType, body string
	reason            chatv1.Reason
	text              []string
	clientMessageID   string
}{
	"empty":                 {"application/json", "", badlyMade, []string{"body is empty", "JSON object"}, ""},
	"white space":           {"", " \n", badlyMade, []string{"body is empty"}, ""},
	"bad JSON":              {"", `{"content":hi}`, badlyMade, []string{"not valid JSON", "byte 12"}, ""},
	"cut short":             {"", `{"content":"hi","clientMes`, badlyMade, []string{"not valid JSON", "unexpected end"}, ""},
	"two objects":           {"", `{"content":"a"}{"content":"b"}`, badlyMade, []string{"not valid JSON"}, ""},
	"text called JSON":      {"application/json", "hi there", badlyMade, []string{"not valid JSON"}, ""},
	"an array":              {"", `["hi"]`, badlyMade, []string{"must be a JSON object"}, ""},
	"a string":              {"", `"hi"`, badlyMade, []string{"must be a JSON object"}, ""},
	"null":                  {"", `null`, badlyMade, []string{"must be a JSON object"}, ""},
	"a raw NUL":             {"", "{\"content\":\"a\x00b\"}", badlyMade, []string{"not valid JSON"}, ""},
	"an escaped NUL":        {"", `{"content":"a\u0000b","clientMessageId":"c1"}`, badlyMade, []string{"content has a NUL"}, "c1"},
	"NUL in an attachment":  {"", `{"content":"a","attachment":{"a":"\u0000"}}`, badlyMade, []string{"attachment has a NUL"}, ""},
	"NUL in an id":          {"", `{"content":"a","clientMessageId":"\u0000"}`, badlyMade, []string{"clientMessageId has a control character"}, "\x00"},
	"not UTF-8":             {"", "{\"content\":\"\xff\"}", badlyMade, []string{"not valid UTF-8"}, ""},
	"no content":            {"", `{"clientMessageId":"c1"}`, badlyMade, []string{"TEXT message needs content"}, "c1"},
	"content is a number":   {"", `{"content":7,"clientMessageId":"c1"}`, badlyMade, []string{"content must be a string", "number"}, "c1"},
	"content is an object":  {"", `{"content":{}}`, badlyMade, []string{"content must be a string", "object"}, ""},
	"type is a list":        {"", `{"type":["TEXT"],"content":"a"}`, badlyMade, []string{"type must be a string", "array"}, ""},
	"a numeric id":          {"", `{"content":"a","clientMessageId":17}`, badlyMade, []string{"clientMessageId must be a string", "number"}, ""},
	"attachment is a list":  {"", `{"content":"a","attachment":[1]}`, badlyMade, []string{"attachment is not a JSON object"}, ""},
	"unknown type":          {"", `{"type":"VIDEO","content":"a"}`, badlyMade, []string{`"VIDEO"`, "TEXT, IMAGE or VOICE"}, ""},
	"a type of the service": {"", `{"type":"SYSTEM","content":"a"}`, badlyMade, []string{`"SYSTEM"`}, ""},
	"a type in lower case":  {"", `{"type":"text","content":"a"}`, badlyMade, []string{`"text"`}, ""},
	"content too long":      {"", `{"content":"` + strings.Repeat("x", 16<<10+1) + `"}`, tooLarge, []string{"16385 bytes", "16384"}, ""},
	"plain text too long":   {"text/plain", strings.Repeat("x", 16<<10+1), tooLarge, []string{"16385 bytes"}, ""},
	"empty plain text":      {"text/plain", "", badlyMade, []string{"TEXT message needs content"}, ""},
	"NUL in plain text":     {"text/plain", "a\x00b", badlyMade, []string{"content has a NUL"}, ""},
	"plain text, no UTF-8":  {"text/plain", "\xff", badlyMade, []string{"not valid UTF-8"}, ""},
	"body too long":         {"", `{"content":"a","x":"` + strings.Repeat("x", 64<<10) + `"}`, tooLarge, []string{"body has", "65536"}, ""},
	"id too long":           {"", `{"content":"a","clientMessageId":"` + strings.Repeat("x", 129) + `"}`, badlyMade, []string{"129 bytes", "128"}, ""},
	"attachment too long":   {"", `{"content":"a","attachment":{"x":"` + strings.Repeat("x", 8<<10) + `"}}`, tooLarge, []string{"attachment has", "8192"}, ""},
	"deep nesting":          {"", `{"attachment":` + strings.Repeat("[", 20_000), badlyMade, []string{"not valid JSON"}, ""},
	"another content type":  {"image/png", `{"content":"a"}`, badlyMade, []string{`"image/png"`, "application/json or text/plain"}, ""},
	"another charset":       {"text/plain;charset=gbk", `a`, badlyMade, []string{`"gbk"`, "utf-8"}, ""},
	"bad content type":      {"a/b;=", `a`, badlyMade, []string{"content-type cannot be read"}, ""},
}

func TestRelayRefusesBadBodiesAndLivesOn(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room := r.room("the room", "bob")
	l := r.line()
	for name, tc := range badBodies {
		refusal := l.refused(l.send("bob", &chatv1.Action{
			Verb: chatv1.Verb_VERB_SEND, ChatRoomId: room, ContentType: tc.contentType, Body: []byte(tc.body),
		}))
		if refusal.GetReason() != tc.reason || refusal.GetClientMessageId() != tc.clientMessageID {
			t.Errorf("%s: refused as %v, want %v about message %q", name, refusal, tc.reason, tc.clientMessageID)
		}
		has(t, name+": "+refusal.GetMessage(), tc.text...)
		if len(refusal.GetMessage()) > 250 {
			t.Errorf("%s: the text has %d bytes", name, len(refusal.GetMessage()))
		}
	}
	if stored := l.stored(l.send("bob", say(room, `{"content":"still alive"}`))); stored[0].GetSeq() != 1 {
		t.Errorf("the message after all that is stored as %v, want seq 1", stored)
	}
}

func TestRelayRefusesBadMarks(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room := r.room("the room", "bob")
	r.say("alice", room, "one")
	r.say("alice", room, "two")
	l := r.line()
	for body, text := range map[string]string{
		`{"seq":"7"}`:  "seq must be a whole number",
		`{"seq":1.5}`:  "seq must be a whole number",
		`{"seq":1e40}`: "seq must be a whole number",
		`{"seq":-1}`:   "seq is -1",
		`{"seq":`:      "not valid JSON",
		`7`:            "must be a JSON object",
		`null`:         "must be a JSON object",
	} {
		refusal := l.refused(l.send("bob", read(room, body)))
		if refusal.GetReason() != badlyMade {
			t.Errorf("%s: refused as %v, want INVALID", body, refusal)
		}
		has(t, refusal.GetMessage(), text)
	}
	for _, tc := range []struct {
		body string
		want int64
	}{{`{"seq":1}`, 1}, {`{}`, 2}, {"", 2}, {`{"seq":1}`, 2}, {` `, 2}, {`{"seq":99}`, 2}, {`{"seq":null}`, 2}} {
		l.stored(l.send("bob", read(room, tc.body)))
		out, err := r.chat.ListMembers(r.as("bob"), &chatv1.ListMembersRequest{ChatRoomId: room})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range out.GetMembers() {
			if m.GetUserId() == "bob" && m.GetLastReadSeq() != tc.want {
				t.Errorf("after %q bob has read up to %d, want %d", tc.body, m.GetLastReadSeq(), tc.want)
			}
		}
	}
}

func TestRelayRefusesBadCommands(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room := r.room("the room", "bob")
	many := make([]*chatv1.Action, 257)
	for i := range many {
		many[i] = say(room, `{"content":"a"}`)
	}
	l := r.line()
	for name, tc := range map[string]struct {
		user    string
		actions []*chatv1.Action
		reason  chatv1.Reason
		text    string
	}{
		"no actions":       {"bob", nil, badlyMade, "no actions"},
		"too many actions": {"bob", many, tooLarge, "257 actions"},
		"no user":          {"", many[:1], badlyMade, "user id is empty"},
		"a bad user":       {"bo\nb", many[:1], badlyMade, "control character"},
		"no verb":          {"bob", []*chatv1.Action{{ChatRoomId: room}}, badlyMade, "verb 0"},
		"an unknown verb":  {"bob", []*chatv1.Action{{Verb: 99, ChatRoomId: room}}, badlyMade, "verb 99"},
		"no room":          {"bob", []*chatv1.Action{say(0, `{"content":"a"}`)}, forbidden, "room 0"},
	} {
		refusal := l.refused(l.send(tc.user, tc.actions...))
		if refusal.GetReason() != tc.reason {
			t.Errorf("%s: refused as %v, want %v", name, refusal, tc.reason)
		}
		has(t, name+": "+refusal.GetMessage(), tc.text)
	}
	if stored := l.stored(l.send("bob", many[:256]...)); len(stored) != 256 || stored[255].GetSeq() != 256 {
		t.Errorf("the largest command is stored as %d entries", len(stored))
	}
}

func TestBadCalls(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room := r.room("the room", "bob")
	bob, minus, logs := r.as("bob"), int64(-1), make([]*chatv1.LogRef, 10_001)
	for i := range logs {
		logs[i] = roomLog(room)
	}
	for name, tc := range map[string]struct {
		call func() error
		want string // beginning of the refusal
	}{
		"Subscribe without a log": {func() error {
			_, err := r.relay.Subscribe(bob, &chatv1.SubscribeRequest{UserId: "bob"})
			return err
		}, "INVALID: log is missing"},
		"Subscribe without a user": {func() error {
			_, err := r.relay.Subscribe(bob, &chatv1.SubscribeRequest{Log: roomLog(room)})
			return err
		}, "INVALID: user id is empty"},
		"Subscribe from a negative seq": {func() error {
			_, err := r.relay.Subscribe(bob, &chatv1.SubscribeRequest{UserId: "bob", Log: roomLog(room), LastSeq: &minus})
			return err
		}, "INVALID: last_seq"},
		"ReadLog without a log": {func() error {
			_, err := r.relay.ReadLog(bob, &chatv1.ReadLogRequest{})
			return err
		}, "INVALID: log is missing"},
		"ReadLog of an empty user": {func() error {
			_, err := r.relay.ReadLog(bob, &chatv1.ReadLogRequest{Log: inbox("")})
			return err
		}, "INVALID: user id is empty"},
		"ReadLog backwards": {func() error {
			_, err := r.relay.ReadLog(bob, &chatv1.ReadLogRequest{Log: roomLog(room), AfterSeq: -1})
			return err
		}, "INVALID: after_seq"},
		"ReadHeads with a hole": {func() error {
			_, err := r.relay.ReadHeads(bob, &chatv1.ReadHeadsRequest{Logs: []*chatv1.LogRef{roomLog(room), {}}})
			return err
		}, "INVALID: log is missing"},
		"ReadHeads of too many": {func() error {
			_, err := r.relay.ReadHeads(bob, &chatv1.ReadHeadsRequest{Logs: logs})
			return err
		}, "TOO_LARGE: "},
		"ListMessages with both bounds": {func() error {
			_, err := r.chat.ListMessages(bob, &chatv1.ListMessagesRequest{ChatRoomId: room, BeforeSeq: 2, AfterSeq: new(int64)})
			return err
		}, "INVALID: beforeSeq and afterSeq"},
		"ListMessages after -1": {func() error {
			_, err := r.chat.ListMessages(bob, &chatv1.ListMessagesRequest{ChatRoomId: room, AfterSeq: &minus})
			return err
		}, "INVALID: beforeSeq and afterSeq cannot be negative"},
		"ListMessages, page too large": {func() error {
			_, err := r.chat.ListMessages(bob, &chatv1.ListMessagesRequest{ChatRoomId: room, Limit: 1001})
			return err
		}, "INVALID: limit is 1001"},
		"ListRooms, bad token": {func() error {
			_, err := r.chat.ListRooms(bob, &chatv1.ListRoomsRequest{PageToken: "x"})
			return err
		}, "INVALID: page token"},
		"SendMessage without content": {func() error {
			_, err := r.chat.SendMessage(bob, &chatv1.SendMessageRequest{ChatRoomId: room})
			return err
		}, "INVALID: a TEXT message needs content"},
		"SendNotification to nobody": {func() error {
			_, err := r.chat.SendNotification(r.ctx(), &chatv1.SendNotificationRequest{Title: "x"})
			return err
		}, "INVALID: user id is empty"},
		"SendNotification without a text": {func() error {
			_, err := r.chat.SendNotification(r.ctx(), &chatv1.SendNotificationRequest{UserId: "bob", Data: &structpb.Struct{}})
			return err
		}, "INVALID: a notification needs"},
		"CreateRoom of nobody": {func() error {
			_, err := r.chat.CreateRoom(bob, &chatv1.CreateRoomRequest{})
			return err
		}, "INVALID: a room needs"},
	} {
		err := tc.call()
		if !strings.HasPrefix(told(err), tc.want) {
			t.Errorf("%s: %s, want %s…", name, told(err), tc.want)
		}
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: gRPC code %v, want InvalidArgument", name, status.Code(err))
		}
	}
}
