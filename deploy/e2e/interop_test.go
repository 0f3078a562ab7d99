package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// seen is one MESSAGE frame as a client got it.
type seen struct {
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// chatReport is what interop/chat.mjs prints.
type chatReport struct {
	Version    string              `json:"version"`
	Transport  string              `json:"transport"`
	Users      []string            `json:"users"`
	Receipts   []map[string]string `json:"receipts"`
	Alice, Bob []seen
	Outsider   struct {
		Errors []struct{ Event, Code, Message, Destination string } `json:"errors"`
		Leaked int                                                  `json:"leaked"`
	} `json:"outsider"`
}

// TestStockJavaScriptClients has two people on two gateways chat with libraries this project did not write, a third is
// refused, and the history by REST is what they received.
func TestStockJavaScriptClients(t *testing.T) {
	for _, library := range []string{"stompjs", "webstomp"} {
		for _, how := range []string{"query", "header", "connect"} {
			t.Run(library+" token by "+how, func(t *testing.T) {
				onEveryStage(t, func(t *testing.T, s *stage) { chatWithNode(t, s, library, how, s.wsURL(0), s.wsURL(1)) })
			})
		}
	}
}

// chatWithNode has alice come by the first URL, bob and the outsider by the second.
func chatWithNode(t *testing.T, s *stage, library, how string, urls ...string) chatReport {
	t.Helper()
	const messages = 10
	p := s.people(t, "alice", "bob", "carol")
	alice, bob, carol := p[0], p[1], p[2]
	room := s.room(t, alice, bob)
	login := func(who person, gateway int) map[string]string {
		return map[string]string{"url": urls[gateway], "token": who.token, "how": how}
	}
	var report chatReport
	runNode(t, "chat.mjs", map[string]any{
		"library": library, "room": room, "messages": messages,
		"alice": login(alice, 0), "bob": login(bob, 1), "outsider": login(carol, 1),
	}, &report)

	if diff := cmp.Diff([]string{alice.id, bob.id}, report.Users); diff != "" {
		t.Errorf("user-name headers (-want +got):\n%s", diff)
	}
	if report.Version != "1.2" {
		t.Errorf("version = %q, want 1.2", report.Version)
	}
	history := s.history(t, alice, room)
	if len(history) != messages {
		t.Fatalf("history holds %d events, want %d", len(history), messages)
	}
	if diff := cmp.Diff(history, bodies(t, report.Alice)); diff != "" {
		t.Errorf("alice received something else than the history (-history +alice):\n%s", diff)
	}
	if diff := cmp.Diff(history, bodies(t, report.Bob)); diff != "" {
		t.Errorf("bob received something else than the history (-history +bob):\n%s", diff)
	}
	for i, event := range history {
		checkMessage(t, event.(map[string]any), room, report.Receipts[i], report.Bob[i].Headers)
	}
	if report.Outsider.Leaked != 0 {
		t.Errorf("the outsider received %d events", report.Outsider.Leaked)
	}
	for _, refusal := range report.Outsider.Errors {
		if refusal.Event != "ERROR" || refusal.Code != "FORBIDDEN" || refusal.Message == "" || refusal.Destination == "" {
			t.Errorf("refusal of the outsider = %+v, want a FORBIDDEN that says of what", refusal)
		}
	}
	return report
}

// checkMessage holds an event of the history against its RECEIPT and the MESSAGE frame that brought it.
func checkMessage(t *testing.T, event map[string]any, room string, receipt, header map[string]string) {
	t.Helper()
	seq := strconv.FormatFloat(event["seq"].(float64), 'f', -1, 64)
	for name, pair := range map[string][2]any{
		"receipt's message-id": {receipt["message-id"], event["messageId"]},
		"receipt's seq":        {receipt["seq"], seq},
		"content":              {receipt["content"], event["content"]},
		"frame's message-id":   {header["message-id"], event["messageId"]},
		"frame's seq":          {header["seq"], seq},
		"frame's event":        {header["event"], "MESSAGE"},
		"frame's destination":  {header["destination"], "/topic/chat/" + room},
		"frame's content-type": {header["content-type"], "application/json"},
		"chatRoomId":           {event["chatRoomId"], room},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s = %v, want %v", name, pair[0], pair[1])
		}
	}
}

func bodies(t *testing.T, frames []seen) []any {
	t.Helper()
	all := make([]any, len(frames))
	for i, frame := range frames {
		if err := json.Unmarshal([]byte(frame.Body), &all[i]); err != nil {
			t.Fatalf("body of event %d is no JSON: %v", i, err)
		}
	}
	return all
}

// runNode runs a script of interop/ with its orders on standard input and decodes what it prints.
func runNode(t *testing.T, script string, orders, report any) {
	t.Helper()
	encoded, err := json.Marshal(orders)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*patience)
	defer cancel()
	node := exec.CommandContext(ctx, "node", script)
	node.Dir = "interop"
	node.Stdin = bytes.NewReader(encoded)
	var stderr bytes.Buffer
	node.Stderr = &stderr
	out, err := node.Output()
	if err != nil {
		t.Fatalf("node %s: %v\n%s", script, err, stderr.Bytes())
	}
	if err := json.Unmarshal(out, report); err != nil {
		t.Fatalf("node %s printed no report: %v\n%s", script, err, out)
	}
}

// TestStompjsFrames: stompjs may send frames whole, split over WebSocket messages, or as binary ones, in every version.
func TestStompjsFrames(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		alice := s.people(t, "alice")[0]
		room := s.room(t, alice)
		content := strings.Repeat("好 Ä\n", 2000)
		var seen []struct{ Way, Version, Content, Seq string }
		runNode(t, "frames.mjs", map[string]any{
			"url": s.wsURL(0) + "?token=" + alice.token, "room": room, "content": content,
		}, &seen)
		if len(seen) != 9 {
			t.Fatalf("%d messages came back, want 9", len(seen))
		}
		for i, got := range seen {
			if want := []string{"1.0", "1.1", "1.2"}[i/3]; got.Version != want || got.Seq != strconv.Itoa(i+1) {
				t.Errorf("%s: version %s, seq %s; want %s and %d", got.Way, got.Version, got.Seq, want, i+1)
			}
			if got.Content != content {
				t.Errorf("%s in %s: %d bytes came back changed, %d were sent", got.Way, got.Version, len(got.Content), len(content))
			}
		}
	})
}
