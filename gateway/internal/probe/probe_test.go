package probe_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/fliliy/chat/gateway/internal/probe"
)

// answers are what a scripted gateway sends after each command; {id} stands for the clientMessageId of the SEND. A command
// that is not there is not answered, and after "close" the connection is closed.
type answers map[string][]string

const (
	connected  = "CONNECTED\nversion:1.2\nuser-name:alice\nserver:fliliy-chat/1\nsession:S1\n\n\x00"
	subscribed = "RECEIPT\nreceipt-id:subscribe\nseq:6\n\n\x00"
	stored     = "RECEIPT\nreceipt-id:send\nmessage-id:42-7\nseq:7\n\n\x00"
	message    = "MESSAGE\nsubscription:room\nmessage-id:42-7\n\n{\"event\":\"MESSAGE\",\"clientMessageId\":\"{id}\"}\x00"
	another    = "MESSAGE\nsubscription:room\nmessage-id:42-6\n\n{\"event\":\"MESSAGE\",\"clientMessageId\":\"another\"}\x00"
	presence   = "MESSAGE\nsubscription:room\nmessage-id:p\n\n{\"event\":\"PRESENCE\",\"online\":[{\"userId\":\"alice\"}]}\x00"
)

var clientMessageID = regexp.MustCompile(`"clientMessageId":"([^"]+)"`)

// gateway serves the answers on /ws, to those with the token "good".
func gateway(t *testing.T, script answers) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ws" || r.Header.Get("Authorization") != "Bearer good" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"code":"UNAUTHENTICATED","message":"the token is no good"}`)
			return
		}
		socket, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"v12.stomp"}})
		if err != nil {
			t.Error(err)
			return
		}
		serve(r.Context(), socket, script)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func serve(ctx context.Context, socket *websocket.Conn, script answers) {
	defer func() { _ = socket.CloseNow() }()
	for {
		_, octets, err := socket.Read(ctx)
		if err != nil {
			return
		}
		command, _, _ := strings.Cut(string(octets), "\n")
		id := "none"
		if found := clientMessageID.FindSubmatch(octets); found != nil {
			id = string(found[1])
		}
		for _, answer := range script[command] {
			if answer == "close" {
				_ = socket.Close(websocket.StatusTryAgainLater, "overloaded")
				return
			}
			if socket.Write(ctx, websocket.MessageText, []byte(strings.ReplaceAll(answer, "{id}", id))) != nil {
				return
			}
		}
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	receipt := []string{connected}
	room := []string{another, subscribed, presence}
	tests := []struct {
		name   string
		script answers
		token  string
		err    []string // parts of the error; none: it succeeds
	}{
		{name: "message first", script: answers{
			"CONNECT": receipt, "SUBSCRIBE": {subscribed}, "SEND": {another, message, presence, stored},
		}},
		{name: "receipt first", script: answers{
			"CONNECT": receipt, "SUBSCRIBE": {subscribed}, "SEND": {stored, presence, message},
		}},
		{name: "bad token", token: "bad", err: []string{"401", "UNAUTHENTICATED", "the token is no good"}},
		{
			name: "refused", script: answers{"CONNECT": {"ERROR\nmessage:no room for more\n\ntry later\x00"}},
			err: []string{"connect", "no room for more", "try later"},
		},
		{name: "not a member", script: answers{
			"CONNECT": receipt, "SUBSCRIBE": {"ERROR\nmessage:FORBIDDEN\n\nnot a member\x00"},
		}, err: []string{"subscribe to room 42", "FORBIDDEN", "not a member"}},
		{
			name: "closed", script: answers{"CONNECT": receipt, "SUBSCRIBE": {"close"}},
			err: []string{"subscribe to room 42", "1013", "overloaded"},
		},
		{
			name: "not stored", script: answers{"CONNECT": receipt, "SUBSCRIBE": room, "SEND": {message}},
			err: []string{"send to room 42", "no RECEIPT", "in time"},
		},
		{
			name: "not broadcast", script: answers{"CONNECT": receipt, "SUBSCRIBE": room, "SEND": {stored, another}},
			err: []string{"#7", "did not come back", "in time"},
		},
		{name: "no STOMP", script: answers{"CONNECT": {"hello\x00"}}, err: []string{"connect"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			opts := probe.Options{BaseURL: gateway(t, test.script), Token: "good", Room: 42, Content: "hello"}
			if test.token != "" {
				opts.Token = test.token
			}
			limit := 30 * time.Second
			if len(test.err) > 0 {
				limit = 2 * time.Second // some wait for what will not come
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			got, err := probe.Run(ctx, opts)
			if len(test.err) == 0 {
				check(t, got, err)
				return
			}
			for _, part := range test.err {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("error %v, want %q in it", err, part)
				}
			}
		})
	}
}

func check(t *testing.T, got *probe.Result, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if got.User != "alice" || got.Session != "S1" || got.Server != "fliliy-chat/1" || got.Version != "1.2" {
		t.Errorf("connected as %+v", got)
	}
	if got.Seq != 7 || got.MessageID != "42-7" || got.ReceiptMS <= 0 || got.MessageMS <= 0 {
		t.Errorf("stored and received as %+v", got)
	}
	if len(got.Online) != 1 || got.Online[0] != "alice" {
		t.Errorf("online are %q", got.Online)
	}
}

// Where presence is out of reach, the round trip is good all the same, and nobody is said to be online.
func TestWithoutPresence(t *testing.T) {
	t.Parallel()
	base := gateway(t, answers{"CONNECT": {connected}, "SUBSCRIBE": {subscribed}, "SEND": {stored, message, "close"}})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	got, err := probe.Run(ctx, probe.Options{BaseURL: base, Token: "good", Room: 42, Content: "hello"})
	if err != nil || got.Seq != 7 || len(got.Online) != 0 {
		t.Errorf("%+v, %v; want #7 and nobody", got, err)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "127.0.0.1:8080", "ws://127.0.0.1", "ftp://127.0.0.1", "http://"} {
		if _, err := probe.Run(t.Context(), probe.Options{BaseURL: base}); err == nil || !strings.Contains(err.Error(), "address") {
			t.Errorf("%q: %v, want that it is no address", base, err)
		}
	}
}
