package e2e_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fliliy/chat/gateway"
)

// sdk is the folder of the client library, and stackScripts that of its tests on a real system, as seen from interop.
const (
	sdk          = root + "/gateway/web/sdk"
	stackScripts = "../" + sdk + "/test/stack/"
)

// diary is what one person of those scripts saw and sent.
type diary struct {
	Seen         []message
	Stored       []message
	Errors       []string
	Nodes        []string // the servers of her connections
	Gaps, Drains int
}

// message is the part of a message that has to be the same for everybody.
type message struct {
	Seq                          float64
	MessageID, SenderID, Content string
}

// messages of the history by REST, which is the truth.
func (s *stage) messages(t *testing.T, who person, room, afterSeq string) []message {
	t.Helper()
	status, answer := s.rest(t, who, http.MethodGet, "/api/v1/chat-rooms/"+room+"/messages?limit=1000&afterSeq="+afterSeq, nil)
	events, _ := answer["events"].([]any)
	if status != http.StatusOK {
		t.Fatalf("history: status %d, answer %v", status, answer)
	}
	out := make([]message, 0, len(events))
	for _, e := range events {
		event := e.(map[string]any)
		text := func(key string) string { value, _ := event[key].(string); return value }
		if event["event"] == "MESSAGE" {
			out = append(out, message{event["seq"].(float64), text("messageId"), text("senderId"), text("content")})
		}
	}
	return out
}

// sameAs holds what a person saw against the truth: all of it, once, in order.
func (d *diary) sameAs(t *testing.T, who string, truth []message) {
	t.Helper()
	if diff := cmp.Diff(truth, d.Seen); diff != "" {
		t.Errorf("%s saw something else than the history (-history +%s):\n%s", who, who, diff)
	}
}

// buildSDK makes what the scripts import; once for all tests.
var buildSDK = sync.OnceValues(func() ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	build := exec.CommandContext(ctx, "npm", "run", "--silent", "build")
	build.Dir = sdk
	return build.CombinedOutput()
})

func needSDK(t *testing.T) {
	t.Helper()
	if out, err := buildSDK(); err != nil {
		t.Fatalf("build the client library: %v\n%s", err, out)
	}
}

// TestSDKAlone runs the client library's own tests, against servers in memory, and checks its types.
func TestSDKAlone(t *testing.T) {
	t.Parallel()
	needSDK(t)
	for _, script := range []string{"types", "unit"} {
		ctx, cancel := context.WithTimeout(t.Context(), 6*patience)
		run := exec.CommandContext(ctx, "npm", "run", "--silent", script)
		run.Dir = sdk
		out, err := run.CombinedOutput()
		cancel()
		if err != nil {
			t.Errorf("npm run %s: %v\n%s", script, err, out)
		}
	}
}

// TestSDKGap: who was away for more than a subscription replays gets all of it, in order, before what follows.
func TestSDKGap(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		needSDK(t)
		const missed = 1500
		p := s.people(t, "alice", "bob")
		room := s.room(t, p[0], p[1])
		var report struct{ Alice, Bob diary }
		runNode(t, stackScripts+"away.mjs", map[string]any{
			"server": s.httpURL(0), "room": room, "messages": missed, "alice": p[0].token, "bob": p[1].token,
		}, &report)
		truth := append(s.messages(t, p[0], room, "0"), s.messages(t, p[0], room, "1000")...)
		if len(truth) != missed+2 {
			t.Fatalf("the history holds %d messages, want %d", len(truth), missed+2)
		}
		report.Alice.sameAs(t, "alice", truth)
		if report.Alice.Gaps != 1 || len(report.Alice.Errors)+len(report.Bob.Errors) > 0 {
			t.Errorf("%d gaps, errors %v %v; want one gap", report.Alice.Gaps, report.Alice.Errors, report.Bob.Errors)
		}
	})
}

// TestSDKHidden: what was written while somebody was out of the room is no hole that the library waits for.
func TestSDKHidden(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		needSDK(t)
		p := s.people(t, "alice", "bob")
		room := s.room(t, p[0], p[1])
		call := func(method, path string, body any) float64 {
			t.Helper()
			status, answer := s.rest(t, p[0], method, "/api/v1/chat-rooms/"+room+path, body)
			if status/100 != 2 {
				t.Fatalf("%s %s: status %d, answer %v", method, path, status, answer)
			}
			seq, _ := answer["seq"].(float64)
			return seq
		}
		say := func(content string) float64 {
			return call(http.MethodPost, "/messages", map[string]any{"content": content})
		}
		say("for both")
		call(http.MethodDelete, "/members/"+p[1].id, nil)
		say("hidden")
		call(http.MethodPost, "/members", map[string]any{"memberIds": []string{p[1].id}})
		last := say("for both again")
		var report struct{ Me diary }
		runNode(t, stackScripts+"follow.mjs", map[string]any{
			"server": s.httpURL(1), "room": room, "token": p[1].token, "upTo": last,
		}, &report)
		report.Me.sameAs(t, "bob", s.messages(t, p[1], room, "0"))
		if len(report.Me.Seen) != 2 || len(report.Me.Errors) > 0 {
			t.Errorf("bob saw %v, errors %v; want the two messages that he may read", report.Me.Seen, report.Me.Errors)
		}
	})
}

// TestSDKRenewsItsToken: a session goes on past the end of the token that it began with.
func TestSDKRenewsItsToken(t *testing.T) {
	t.Parallel()
	needSDK(t)
	s := stages[0]
	const life = 3 * time.Second
	alice := s.people(t, "alice")[0]
	room := s.room(t, alice)
	short, err := gateway.SignToken(s.secret(t), alice.id, life)
	if err != nil {
		t.Fatal(err)
	}
	const leeway, sure = 5 * time.Second, time.Second
	var report struct {
		Renewals int
		Me       diary
	}
	runNode(t, stackScripts+"renew.mjs", map[string]any{
		"server": s.httpURL(0), "room": room, "tokens": []string{short, alice.token},
		"untilMs": time.Now().Add(life + leeway + sure).UnixMilli(),
	}, &report)
	if report.Renewals != 1 || len(report.Me.Nodes) != 1 || len(report.Me.Errors) > 0 {
		t.Errorf("%d renewals, connections to %v, errors %v; want one renewal in place",
			report.Renewals, report.Me.Nodes, report.Me.Errors)
	}
	if len(report.Me.Seen) != len(report.Me.Stored) {
		t.Errorf("%d messages came back of %d", len(report.Me.Seen), len(report.Me.Stored))
	}
}

// secret is what the stage's tokens are signed with.
func (s *stage) secret(t *testing.T) string {
	t.Helper()
	secret, err := os.ReadFile(filepath.Join(s.dir, "jwt-secret"))
	if err != nil {
		t.Fatal(err)
	}
	return string(secret)
}

// TestSDKOverSockJS has two people talk over SockJS, on two gateways.
func TestSDKOverSockJS(t *testing.T) {
	t.Parallel()
	needSDK(t)
	s := stages[0]
	p := s.people(t, "alice", "bob")
	room := s.room(t, p[0], p[1])
	var report struct{ People []diary }
	runNode(t, stackScripts+"sockjs.mjs", map[string]any{
		"servers": []string{s.httpURL(0), s.httpURL(1)}, "room": room, "tokens": []string{p[0].token, p[1].token},
	}, &report)
	truth := s.messages(t, p[0], room, "0")
	if len(truth) != 2 || len(report.People) != 2 {
		t.Fatalf("history %v, people %v", truth, report.People)
	}
	for i, saw := range report.People {
		saw.sameAs(t, p[i].id, truth)
	}
}

// sdkExample returns the first example in a language of the library's README.
func sdkExample(t *testing.T, readme, language string) string {
	t.Helper()
	_, after, found := strings.Cut(readRoot(t, "gateway/web/sdk/"+readme), "```"+language+"\n")
	example, _, ended := strings.Cut(after, "```")
	if !found || !ended {
		t.Fatalf("%s has no example in %s", readme, language)
	}
	return example
}

// TestSDKReadme runs the five lines with which the library's README begins, as they stand there; only the server's
// address is another, and what they take for given (a token, a room, a WebSocket) is there.
func TestSDKReadme(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		needSDK(t)
		example := sdkExample(t, "README.md", "js")
		if chinese := sdkExample(t, "README.zh-CN.md", "js"); chinese != example {
			t.Errorf("the two READMEs begin differently:\n%s\n%s", example, chinese)
		}
		alice := s.people(t, "alice")[0]
		room := s.room(t, alice)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		node := exec.CommandContext(ctx, "node", "--input-type=module")
		node.Dir = sdk
		node.Env = append(os.Environ(), "TOKEN="+alice.token, "ROOM="+room)
		node.Stdin = strings.NewReader("import WebSocket from 'ws'; globalThis.WebSocket = WebSocket;\n" +
			"const token = process.env.TOKEN, room = process.env.ROOM;\n" + onStage(s, example) +
			"\nwhile (!client.lastSeq(room)) await new Promise((more) => client.once('event', more));\n" +
			"await client.disconnect();\n")
		var stderr bytes.Buffer
		node.Stderr = &stderr
		out, err := node.Output()
		if err != nil {
			t.Fatalf("the README's example: %v\n%s", err, stderr.Bytes())
		}
		if want := alice.id + ": 你好\n"; string(out) != want {
			t.Errorf("the README's example prints %q, want %q", out, want)
		}
		if lines := strings.Count(strings.TrimSpace(example), "\n"); lines > 7 || !slices.Contains(strings.Fields(example), "await") {
			t.Errorf("the example is too long to be a start:\n%s", example)
		}
	})
}

// TestSDKByScriptTag has two people talk in a real browser by the script that gateways serve, one over WebSocket, one
// over SockJS, which only that page loads. The page's policy is on.
func TestSDKByScriptTag(t *testing.T) {
	t.Parallel()
	s := stages[0]
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: `make setup` installs it", err)
	}
	p := s.people(t, "alice", "bob")
	room := s.room(t, p[0], p[1])
	var report struct {
		Got    [][]string
		SockJS []bool
	}
	runNode(t, "script.mjs", map[string]any{
		"browser": browser, "pages": []string{s.httpURL(0) + "/", s.httpURL(1) + "/"}, "room": room,
		"people": []map[string]string{
			{"token": p[0].token, "transport": "websocket"}, {"token": p[1].token, "transport": "sockjs"},
		},
	}, &report)
	lines := []string{"line 0", "line 1"}
	if diff := cmp.Diff([][]string{lines, lines}, report.Got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]bool{false, true}, report.SockJS); diff != "" {
		t.Errorf("pages that loaded SockJS (-want +got):\n%s", diff)
	}
}
