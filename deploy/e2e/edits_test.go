package e2e_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/go-stomp/stomp/v3/frame"
)

// tell sends a SEND with a JSON body to a verb of a room and returns its RECEIPT.
func (w *wire) tell(room, verb, receipt, body string, headers ...string) *frame.Frame {
	w.t.Helper()
	w.send("SEND\ndestination:/app/chat/" + room + "/" + verb + "\ncontent-type:application/json\nreceipt:" + receipt +
		"\n" + strings.Join(append(headers, ""), "\n") + "\n" + body + "\x00")
	return w.receipt(receipt)
}

// stored checks what a RECEIPT names.
func stored(t *testing.T, got *frame.Frame, room string, seq int, duplicate bool) {
	t.Helper()
	text := strconv.Itoa(seq)
	if got.Header.Get("message-id") != room+"-"+text || got.Header.Get("seq") != text ||
		got.Header.Get("duplicate") != strconv.FormatBool(duplicate) {
		t.Errorf("RECEIPT %v, want seq %d of room %s, duplicate %v", got.Header, seq, room, duplicate)
	}
}

func at(seq int, more string) string { return `{"seq":` + strconv.Itoa(seq) + more + `}` }

// TestEditAndRecall has a reader see an edit and a recall live, and one who was away learn of them by resuming.
func TestEditAndRecall(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		alice, bob := p[0], p[1]
		room := s.room(t, alice, bob)
		head := len(s.history(t, alice, room))
		first, second := head+1, head+2
		b := login(t, s.wsURL(1), bob)
		b.subscribe("s", "/topic/chat/"+room)
		a := login(t, s.wsURL(0), alice)
		a.say(room, "helo", "one")
		a.say(room, "a secret", "two")

		stored(t, a.tell(room, "edit", "e", at(first, `,"content":"hello","clientMessageId":"e"`)), room, head+3, false)
		stored(t, a.tell(room, "edit", "e2", at(first, `,"content":"hello","clientMessageId":"e"`)), room, head+3, true)
		stored(t, a.tell(room, "recall", "r", at(second, "")), room, head+4, false)
		stored(t, a.tell(room, "recall", "r2", at(second, "")), room, head+4, true)

		edited := b.event("EDITED")
		if edited["seq"] != float64(head+3) || edited["targetSeq"] != float64(first) || edited["content"] != "hello" ||
			edited["senderId"] != alice.id || edited["chatRoomId"] != room || edited["at"] == nil {
			t.Errorf("bob saw %v", edited)
		}
		recalled := b.event("RECALLED")
		if recalled["seq"] != float64(head+4) || recalled["targetSeq"] != float64(second) || recalled["senderId"] != alice.id {
			t.Errorf("bob saw %v", recalled)
		}

		for gateway, where := range []string{"resume from the store", "resume where the room is followed"} {
			back := login(t, s.wsURL(gateway), bob)
			back.subscribeOnly("s", "/topic/chat/"+room, "last-seq:"+strconv.Itoa(head))
			var resumed []map[string]any
			for range 4 {
				var event map[string]any
				if err := json.Unmarshal(back.expect("MESSAGE").Body, &event); err != nil {
					t.Fatal(err)
				}
				resumed = append(resumed, event)
			}
			checkCurrent(t, where, resumed)
		}
		var history []map[string]any
		for _, event := range s.history(t, bob, room)[head:] {
			history = append(history, event.(map[string]any)) //nolint:forcetypeassert // the contract's
		}
		checkCurrent(t, "history", history)
	})
}

// subscribeOnly subscribes and does not wait.
func (w *wire) subscribeOnly(id, destination string, headers ...string) {
	w.t.Helper()
	w.send("SUBSCRIBE\nid:" + id + "\ndestination:" + destination + "\n" + strings.Join(append(headers, ""), "\n") + "\n\x00")
}

// checkCurrent looks at a message that was edited, one that was recalled, the edit and the recall.
func checkCurrent(t *testing.T, where string, events []map[string]any) {
	t.Helper()
	if len(events) != 4 {
		t.Fatalf("%s has %d events, want 4: %v", where, len(events), events)
	}
	if e := events[0]; e["event"] != "MESSAGE" || e["content"] != "hello" || e["editedAt"] == nil || e["clientMessageId"] != "one" {
		t.Errorf("%s: the edited message is %v", where, e)
	}
	_, content := events[1]["content"]
	if e := events[1]; e["event"] != "MESSAGE" || e["recalled"] != true || content || e["clientMessageId"] != "two" {
		t.Errorf("%s: the recalled message is %v", where, e)
	}
	if events[2]["event"] != "EDITED" || events[3]["event"] != "RECALLED" {
		t.Errorf("%s ends with %v", where, events[2:])
	}
}

func TestEditAndRecallByREST(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		alice, bob := p[0], p[1]
		room := s.room(t, alice, bob)
		a := login(t, s.wsURL(0), alice)
		seq := a.say(room, "helo", "one").Header.Get("seq")
		path := "/api/v1/chat-rooms/" + room + "/messages/" + seq
		for _, duplicate := range []bool{false, true} {
			status, answer := s.rest(t, alice, http.MethodPatch, path, map[string]any{"content": "hello"})
			if status != http.StatusOK || answer["duplicate"] != duplicate || answer["messageId"] == room+"-"+seq {
				t.Errorf("edit: status %d, answer %v, want duplicate %v", status, answer, duplicate)
			}
		}
		if status, answer := s.rest(t, bob, http.MethodPatch, path, map[string]any{"content": "x"}); status != http.StatusForbidden ||
			answer["code"] != "FORBIDDEN" {
			t.Errorf("edit by another: status %d, answer %v", status, answer)
		}
		if status, answer := s.rest(t, bob, http.MethodDelete, path, nil); status != http.StatusForbidden {
			t.Errorf("recall by another: status %d, answer %v", status, answer)
		}
		for _, duplicate := range []bool{false, true} {
			status, answer := s.rest(t, alice, http.MethodDelete, path, nil)
			if status != http.StatusOK || answer["duplicate"] != duplicate {
				t.Errorf("recall: status %d, answer %v, want duplicate %v", status, answer, duplicate)
			}
		}
		if status, answer := s.rest(t, alice, http.MethodPatch, path, map[string]any{"content": "x"}); status != http.StatusBadRequest ||
			answer["code"] != "INVALID" {
			t.Errorf("edit after the recall: status %d, answer %v", status, answer)
		}
	})
}

// TestRevisionsInATransaction: sends, edits and recalls of one COMMIT take effect together, in order, or not at all.
func TestRevisionsInATransaction(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		alice, bob := p[0], p[1]
		room := s.room(t, alice, bob)
		head := len(s.history(t, alice, room))
		a := login(t, s.wsURL(0), alice)
		a.subscribe("e", "/user/queue/errors")
		a.say(room, "one", "one")
		a.say(room, "two", "two")

		a.send("BEGIN\ntransaction:bad\n\n\x00")
		a.tell(room, "recall", "held", at(head+1, ""), "transaction:bad")
		a.tell(room, "recall", "wrong", at(99, ""), "transaction:bad")
		a.send("COMMIT\ntransaction:bad\nreceipt:bad\n\n\x00")
		if got := a.event("ERROR"); got["code"] != "INVALID" || got["receiptId"] != "bad" {
			t.Errorf("refused with %v", got)
		}
		if events := s.history(t, bob, room); len(events) != head+2 {
			t.Errorf("a refused transaction left %d events, want %d", len(events), head+2)
		}

		a.send("BEGIN\ntransaction:good\n\n\x00")
		a.tell(room, "edit", "edit", at(head+1, `,"content":"1"`), "transaction:good")
		a.tell(room, "send", "send", `{"content":"three"}`, "transaction:good")
		a.tell(room, "recall", "recall", at(head+2, ""), "transaction:good")
		a.send("COMMIT\ntransaction:good\nreceipt:good\n\n\x00")
		want := strconv.Itoa(head+3) + "," + strconv.Itoa(head+4) + "," + strconv.Itoa(head+5)
		if got := a.receipt("good"); got.Header.Get("seq") != want || got.Header.Get("duplicate") != "false,false,false" {
			t.Errorf("RECEIPT %v, want seqs %s", got.Header, want)
		}
	})
}

// TestRefusedRevisions has every refusal say what it is about, on a connection that lives on.
func TestRefusedRevisions(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		alice, bob := p[0], p[1]
		room := s.room(t, alice, bob)
		seq, err := strconv.Atoi(login(t, s.wsURL(0), alice).say(room, "of alice", "a").Header.Get("seq"))
		if err != nil {
			t.Fatal(err)
		}
		b := login(t, s.wsURL(1), bob)
		b.subscribe("e", "/user/queue/errors")
		for name, c := range map[string]struct{ verb, body, code string }{
			"edit of another":     {"edit", at(seq, `,"content":"x"`), "FORBIDDEN"},
			"recall of another":   {"recall", at(seq, ""), "FORBIDDEN"},
			"no such seq":         {"recall", at(seq+1, ""), "INVALID"},
			"no seq":              {"recall", `{}`, "INVALID"},
			"seq is a string":     {"recall", `{"seq":"1"}`, "INVALID"},
			"edit to nothing":     {"edit", at(seq, ""), "INVALID"},
			"content of 17 KiB":   {"edit", at(seq, `,"content":"`+strings.Repeat("x", 17<<10)+`"`), "TOO_LARGE"},
			"an id of 60 KiB":     {"recall", at(seq, `,"clientMessageId":"`+strings.Repeat("x", 60<<10)+`"`), "INVALID"},
			"no JSON":             {"edit", `seq=1`, "INVALID"},
			"nothing":             {"recall", ``, "INVALID"},
			"JSON, not an object": {"recall", `1`, "INVALID"},
		} {
			b.send("SEND\ndestination:/app/chat/" + room + "/" + c.verb + "\nreceipt:r\n\n" + c.body + "\x00")
			if got := b.event("ERROR"); got["code"] != c.code || got["receiptId"] != "r" || got["message"] == "" {
				t.Errorf("%s: refused with %v, want %s", name, got, c.code)
			}
		}
		b.say(room, "still here", "b")
	})
}

// TestSameIDWithAnotherBody: the first one wins, for sends and edits, through either gateway.
func TestSameIDWithAnotherBody(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		alice, bob := p[0], p[1]
		room := s.room(t, alice, bob)
		head := len(s.history(t, alice, room))
		here, there := login(t, s.wsURL(0), alice), login(t, s.wsURL(1), alice)
		stored(t, here.say(room, "first", "same"), room, head+1, false)
		stored(t, there.tell(room, "send", "again", `{"content":"second","clientMessageId":"same"}`), room, head+1, true)
		stored(t, there.tell(room, "edit", "edit", at(head+1, `,"content":"third","clientMessageId":"same"`)), room, head+1, true)
		events := s.history(t, bob, room)
		if len(events) != head+1 || events[head].(map[string]any)["content"] != "first" { //nolint:forcetypeassert // JSON
			t.Errorf("the room has %d events, the last is %v; want the first one only", len(events), events[len(events)-1])
		}
	})
}
