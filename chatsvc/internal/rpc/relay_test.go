package rpc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/rpc"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
	"github.com/fliliy/chat/proto/identity"
)

func contextAs(ctx context.Context, user string) context.Context { return identity.WithUser(ctx, user) }

// body is what a client sees of a message.
type body struct {
	Event           string          `json:"event"`
	ChatRoomID      string          `json:"chatRoomId"`
	Seq             int64           `json:"seq"`
	MessageID       string          `json:"messageId"`
	ClientMessageID string          `json:"clientMessageId"`
	SenderID        string          `json:"senderId"`
	Type            string          `json:"type"`
	Content         string          `json:"content"`
	Attachment      json.RawMessage `json:"attachment"`
}

func bodyOf(tb testing.TB, e *chatv1.Event) body {
	tb.Helper()
	var b body
	if err := json.Unmarshal(e.GetJson(), &b); err != nil {
		tb.Fatalf("%s: %v", e.GetJson(), err)
	}
	return b
}

func TestThreat15RelayStoresWhatTheTokenAndTheBodySay(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		contentType, body string
		want              body
	}{
		"all fields": {
			"application/json", `{"type":"IMAGE","content":"你好","clientMessageId":"c1","attachment":{"url":"x", "n":1}}`,
			body{Type: "IMAGE", Content: "你好", ClientMessageID: "c1", Attachment: json.RawMessage(`{"url":"x","n":1}`)},
		},
		"no type is TEXT":     {"application/json", `{"content":"hi"}`, body{Type: "TEXT", Content: "hi"}},
		"no content type":     {"", `{"content":"hi"}`, body{Type: "TEXT", Content: "hi"}},
		"with a charset":      {"application/json; charset=utf-8", `{"content":"hi"}`, body{Type: "TEXT", Content: "hi"}},
		"plain text":          {"text/plain", `{"content":"hi"}`, body{Type: "TEXT", Content: `{"content":"hi"}`}},
		"plain text, charset": {"text/plain;charset=UTF-8", "你好", body{Type: "TEXT", Content: "你好"}},
		"null is absent": {
			"application/json", `{"type":null,"content":"hi","clientMessageId":null,"attachment":null}`,
			body{Type: "TEXT", Content: "hi"},
		},
		"what old clients claim is ignored": {
			"application/json",
			`{"senderId":"mallory","userId":"mallory","chatRoomId":1,"roomId":"9","timestamp":1700000000,"seq":99,` +
				`"messageId":"x","id":7,"type":"TEXT","content":"hi","clientMessageId":"c1"}`,
			body{Type: "TEXT", Content: "hi", ClientMessageID: "c1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, setup{})
			room := r.room("the room", "bob")
			l := r.line()
			stored := l.stored(l.send("bob", &chatv1.Action{
				Verb: chatv1.Verb_VERB_SEND, ChatRoomId: room, ContentType: tc.contentType, Body: []byte(tc.body),
			}))
			want := tc.want
			want.Event, want.ChatRoomID, want.Seq, want.SenderID = "MESSAGE", fmt.Sprint(room), 1, "bob"
			want.MessageID = fmt.Sprintf("%d-1", room)
			if len(stored) != 1 || stored[0].GetSeq() != 1 || stored[0].GetMessageId() != want.MessageID {
				t.Errorf("stored as %v", stored)
			}
			if diff := cmp.Diff(want, bodyOf(t, r.history("alice", room)[0])); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRelayPipelinesInOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	rooms := []int64{r.room("one", "bob"), r.room("two", "bob"), r.room("three", "bob")}
	l := r.line()
	const each = 200
	for n := range each {
		var batch []*chatv1.RelayCommand
		for _, room := range rooms {
			l.next++
			batch = append(batch, &chatv1.RelayCommand{
				Id: l.next, UserId: "bob", Actions: []*chatv1.Action{say(room, fmt.Sprintf(`{"content":"%d"}`, n))},
			})
		}
		l.sendAll(batch...)
	}
	for id := uint64(1); id <= l.next; id++ {
		l.stored(id)
	}
	for _, room := range rooms {
		events := r.history("bob", room)
		if len(events) != each {
			t.Fatalf("room %d has %d messages, want %d", room, len(events), each)
		}
		for n, e := range events {
			if got := bodyOf(t, e).Content; got != fmt.Sprint(n) {
				t.Fatalf("message %d of room %d is %q", n, room, got)
			}
		}
	}
}

func TestRelayRepeatIsADuplicate(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room := r.room("the room", "bob")
	first, second := r.line(), r.line()
	a := first.stored(first.send("bob", say(room, `{"content":"hi","clientMessageId":"c1"}`)))[0]
	b := second.stored(second.send("bob", say(room, `{"content":"hi","clientMessageId":"c1"}`)))[0]
	if a.GetDuplicate() || !b.GetDuplicate() || a.GetSeq() != b.GetSeq() || a.GetMessageId() != b.GetMessageId() {
		t.Errorf("first %v, repeat %v", a, b)
	}
	if n := len(r.history("bob", room)); n != 1 {
		t.Errorf("the room has %d messages, want 1", n)
	}
}

func TestRelayTransactions(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room, other, foreign := r.room("one", "bob"), r.room("two", "bob"), r.room("three", "carol")
	l := r.line()

	stored := l.stored(l.send("bob", say(room, `{"content":"a"}`), say(other, `{"content":"b"}`), say(room, `{"content":"c"}`)))
	if len(stored) != 3 || stored[0].GetSeq() != 1 || stored[1].GetSeq() != 1 || stored[2].GetSeq() != 2 {
		t.Errorf("stored as %v", stored)
	}

	for name, tc := range map[string]struct {
		actions []*chatv1.Action
		reason  chatv1.Reason
		action  int32
	}{
		"a foreign room":            {[]*chatv1.Action{say(room, `{"content":"x"}`), say(foreign, `{"content":"x"}`)}, chatv1.Reason_REASON_FORBIDDEN, 1},
		"bad JSON":                  {[]*chatv1.Action{say(room, `{"content":"x"}`), say(room, `{`)}, chatv1.Reason_REASON_INVALID, 1},
		"bad content":               {[]*chatv1.Action{typing(room), say(room, `{"content":"x"}`), say(room, `{}`)}, chatv1.Reason_REASON_INVALID, 2},
		"a mark in a foreign room":  {[]*chatv1.Action{say(room, `{"content":"x"}`), read(foreign, "")}, chatv1.Reason_REASON_FORBIDDEN, 1},
		"a bad mark":                {[]*chatv1.Action{read(room, `{"seq":"x"}`), say(room, `{"content":"x"}`)}, chatv1.Reason_REASON_INVALID, 0},
		"foreign send, after marks": {[]*chatv1.Action{read(room, ""), typing(room), say(foreign, `{"content":"x"}`)}, chatv1.Reason_REASON_FORBIDDEN, 2},
	} {
		refusal := l.refused(l.send("bob", tc.actions...))
		if refusal.GetReason() != tc.reason || refusal.GetAction() != tc.action {
			t.Errorf("%s: refused as %v, want %v of action %d", name, refusal, tc.reason, tc.action)
		}
	}
	if a, b := len(r.history("bob", room)), len(r.history("bob", other)); a != 2 || b != 1 {
		t.Errorf("refused transactions left something: %d and %d messages, want 2 and 1", a, b)
	}
	for _, e := range r.posted.all() {
		if e.Kind == chat.KindTyping || e.Kind == chat.KindRead {
			t.Errorf("a refused transaction published %v", e)
		}
	}
}

func TestRelayMixedCommandReadsWhatItSent(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room := r.room("the room", "bob")
	l := r.line()
	stored := l.stored(l.send("bob", read(room, ""), say(room, `{"content":"a"}`), typing(room), say(room, `{"content":"b"}`)))
	want := []int64{0, 1, 0, 2}
	for i, s := range stored {
		if s.GetSeq() != want[i] {
			t.Errorf("stored as %v, want seqs %v", stored, want)
		}
	}
	kinds := map[chat.Kind]chat.Event{}
	for _, e := range r.posted.all() {
		kinds[e.Kind] = e
	}
	if kinds[chat.KindRead].Mark != 2 || kinds[chat.KindTyping].UserID != "bob" {
		t.Errorf("published %v, want READ up to 2 and TYPING of bob", kinds)
	}
}

func TestRelayReadWaitsForEarlierSends(t *testing.T) {
	t.Parallel()
	held := &holding{}
	r := newRig(t, setup{appender: held.over})
	room := r.room("the room", "bob")
	l := r.line()
	held.hold()
	send := l.send("bob", say(room, `{"content":"a"}`))
	mark := l.send("bob", read(room, ""))
	elsewhere := l.send("bob", read(r.room("another", "bob"), ""))
	l.stored(elsewhere) // waits for nothing
	if l.early[mark] != nil {
		t.Fatal("the read mark did not wait for the send before it")
	}
	held.release()
	l.stored(send)
	l.stored(mark)
	events := r.posted.all()
	if last := events[len(events)-1]; last.Kind != chat.KindRead || last.Mark != 1 {
		t.Errorf("the last event is %+v, want READ up to 1", last)
	}
}

func TestRelayBoundsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	held := &holding{}
	r := newRig(t, setup{appender: held.over, options: rpc.Options{Window: 8}})
	room := r.room("the room", "bob")
	held.hold()
	l := r.line()
	for range 20 {
		l.send("bob", say(room, `{"content":"a"}`))
	}
	eventually(t, "8 commands are under way", func() bool { return held.count() == 8 })
	if got := testutil.ToFloat64(r.metrics.Counter.RelayInFlight); got != 8 {
		t.Errorf("%v commands in flight, want 8", got)
	}
	held.release()
	for id := uint64(1); id <= 20; id++ {
		if got := l.stored(id)[0].GetSeq(); got != int64(id) {
			t.Errorf("command %d is stored at %d", id, got)
		}
	}
}

func TestRelayBoundsTheBytesUnderWay(t *testing.T) {
	t.Parallel()
	held := &holding{}
	r := newRig(t, setup{appender: held.over, options: rpc.Options{WindowBytes: 10 << 10}})
	room := r.room("the room", "bob")
	held.hold()
	l := r.line()
	for range 9 {
		l.send("bob", plain(room, strings.Repeat("x", 4<<10)))
	}
	large := l.send("bob", plain(room, strings.Repeat("x", 15<<10))) // alone it is let through
	eventually(t, "two commands are under way", func() bool { return held.count() == 2 })
	held.release()
	for id := uint64(1); id <= large; id++ {
		l.stored(id)
	}
}

func TestRelayStreamEndLeavesNothingHanging(t *testing.T) {
	t.Parallel()
	held := &holding{}
	r := newRig(t, setup{appender: held.over})
	room := r.room("the room", "bob")
	held.hold()
	ctx, cancel := context.WithCancel(r.ctx())
	stream, err := r.relay.Relay(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var commands []*chatv1.RelayCommand
	for id := range uint64(50) {
		commands = append(commands, &chatv1.RelayCommand{
			Id: id, UserId: "bob", Actions: []*chatv1.Action{say(room, `{"content":"a"}`)},
		}, &chatv1.RelayCommand{Id: id + 50, UserId: "bob", Actions: []*chatv1.Action{read(room, "")}})
	}
	if err := stream.Send(&chatv1.RelayRequest{Commands: commands}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all sends are under way", func() bool { return held.count() == 50 })
	cancel()
	eventually(t, "the stream is gone", func() bool { return testutil.ToFloat64(r.metrics.Counter.RelayStreams) == 0 })
	held.release()
	eventually(t, "nothing is in flight", func() bool { return testutil.ToFloat64(r.metrics.Counter.RelayInFlight) == 0 })
	if n := len(r.history("alice", room)); n != 50 {
		t.Errorf("%d messages are stored, want the 50 that were taken up", n)
	}
}

func TestRelayHalfCloseAnswersEverything(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room := r.room("the room", "bob")
	l := r.line()
	for range 100 {
		l.send("bob", say(room, `{"content":"a"}`))
	}
	if err := l.stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if err := <-l.ended; err.Error() != "EOF" {
		t.Errorf("the stream ended with %v, want EOF", err)
	}
	if n := len(l.results); n != 100 {
		t.Errorf("%d commands are answered, want 100", n)
	}
}

func TestStopEndsRelayStreamsInGoodOrder(t *testing.T) {
	t.Parallel()
	held := &holding{}
	r := newRig(t, setup{appender: held.over})
	room := r.room("the room", "bob")
	l := r.line()
	held.hold()
	id := l.send("bob", say(room, `{"content":"a"}`))
	eventually(t, "the send is under way", func() bool { return held.count() == 1 })
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		r.server.Stop(r.ctx())
	}()
	held.release()
	l.stored(id)
	err := <-l.ended
	if status.Code(err) != codes.Unavailable || !strings.HasPrefix(told(err), "UNAVAILABLE: ") {
		t.Errorf("the stream ended with %v, want UNAVAILABLE", err)
	}
	<-stopped
}

func TestOldStreamsEndInGoodOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{options: rpc.Options{MaxConnectionAge: 50 * time.Millisecond}})
	l := r.line()
	if err := <-l.ended; status.Code(err) != codes.Unavailable {
		t.Errorf("the stream ended with %v, want UNAVAILABLE", err)
	}
}

// RELIABILITY row 32: a room that has to wait refuses its members for so long; strangers learn nothing of it.
func TestThreat32RoomHoldsOff(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room := r.room("the room", "bob")
	l := r.line()
	held := func(room int64) *chatv1.Action {
		a := say(room, `{"content":"hi","clientMessageId":"c1"}`)
		a.HoldOffMs = 250
		return a
	}
	busy := l.refused(l.send("bob", held(room)))
	if busy.GetReason() != chatv1.Reason_REASON_RATE_LIMITED || busy.GetRetryAfterMs() != 250 || busy.GetClientMessageId() != "c1" {
		t.Errorf("a member is told %v, want RATE_LIMITED for 250 ms", busy)
	}
	for _, hidden := range []int64{room, room + 1_000_000} {
		got := l.refused(l.send("mallory", held(hidden)))
		want := fmt.Sprintf("room %d does not exist, or you are not a member of it", hidden)
		if got.GetReason() != chatv1.Reason_REASON_FORBIDDEN || got.GetMessage() != want || got.GetRetryAfterMs() != 0 {
			t.Errorf("a stranger is told %v, want FORBIDDEN", got)
		}
	}
	l.stored(l.send("bob", plain(room, "later")))
}
