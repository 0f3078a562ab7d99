package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// TestBadMessages sends wrong messages one after another on one connection: each is one clear error event, and the
// connection goes on.
func TestBadMessages(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob", "carol")
		alice, bob := p[0], p[1]
		room := s.room(t, alice, bob)
		foreign := s.room(t, p[2])
		w := login(t, s.wsURL(0), alice)
		w.subscribe("errors", "/user/queue/errors")
		w.subscribe("room", "/topic/chat/"+room)

		send := "/app/chat/" + room + "/send"
		for _, tc := range []struct{ name, destination, body, code, says string }{
			{"bad JSON", send, `{"type":"TEXT",`, "INVALID", "JSON"},
			{"JSON cut short by NUL inside", send, "{\"type\":\"TEXT\",\"content\":\"a\\u0000b\"}", "INVALID", "NUL"},
			{"unknown type", send, `{"type":"SMELL","content":"x"}`, "INVALID", "TEXT"},
			{"type only the service may use", send, `{"type":"SYSTEM","content":"x"}`, "INVALID", "SYSTEM"},
			{"nothing to say", send, `{"type":"TEXT","content":""}`, "INVALID", "content"},
			{"content is a number", send, `{"type":"TEXT","content":7}`, "INVALID", "content"},
			{"too long", send, `{"type":"TEXT","content":"` + strings.Repeat("x", 17<<10) + `"}`, "TOO_LARGE", ""},
			{"not a member", "/app/chat/" + foreign + "/send", `{"type":"TEXT","content":"x"}`, "FORBIDDEN", ""},
			{"no such room", "/app/chat/9223372036854775807/send", `{"type":"TEXT","content":"x"}`, "FORBIDDEN", ""},
			{"room id is no number", "/app/chat/*/send", `{}`, "INVALID", "room"},
			{"unknown verb", "/app/chat/" + room + "/shout", `{}`, "INVALID", "shout"},
			{"broker destination", "/topic/chat/" + room, `{}`, "", "/topic"},
			{"read mark is no number", "/app/chat/" + room + "/read", `{"seq":"all"}`, "INVALID", "seq"},
		} {
			w.send("SEND\ndestination:" + tc.destination + "\nreceipt:r\n\n" + tc.body + "\x00")
			event := w.event("ERROR")
			if tc.code != "" && event["code"] != tc.code || event["destination"] != tc.destination ||
				event["receiptId"] != "r" || !strings.Contains(event["message"].(string), tc.says) {
				t.Errorf("%s: %v, want code %s, the destination, the receipt id, and a text with %q",
					tc.name, event, tc.code, tc.says)
			}
		}
		if got := w.say(room, "still here", "1").Header.Get("seq"); got != "1" {
			t.Errorf("the first good message has seq %s, want 1: a refused one was stored", got)
		}
	})
}

// TestBadFrames breaks the protocol in one connection: an ERROR frame, a close with a stated code, and the neighbour
// who shares the gateway and the room notices nothing.
func TestBadFrames(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		alice, bob := p[0], p[1]
		room := s.room(t, alice, bob)
		neighbour := login(t, s.wsURL(0), bob)
		neighbour.subscribe("room", "/topic/chat/"+room)

		const connect = "CONNECT\naccept-version:1.2\nhost:chat\n"
		good := connect + "token:" + alice.token + "\n\n\x00"
		send := "SEND\ndestination:/app/chat/" + room + "/send\n"
		for _, tc := range []struct {
			name string
			sent []string
			code websocket.StatusCode
		}{
			{"no CONNECT first", []string{send + "\n{}\x00"}, websocket.StatusProtocolError},
			{"bad token", []string{connect + "token:" + alice.token + "x\n\n\x00"}, websocket.StatusPolicyViolation},
			{"no token", []string{connect + "\n\x00"}, websocket.StatusPolicyViolation},
			{"no common version", []string{"CONNECT\naccept-version:9.9\nhost:chat\n\n\x00"}, websocket.StatusProtocolError},
			{"bad heart-beat", []string{connect + "heart-beat:a,b\ntoken:" + alice.token + "\n\n\x00"}, websocket.StatusProtocolError},
			{"second CONNECT", []string{good, good}, websocket.StatusProtocolError},
			{"unknown command", []string{good, "SHOUT\n\nhello\x00"}, websocket.StatusProtocolError},
			{"bad escape", []string{good, send + "x:a\\tb\n\n{}\x00"}, websocket.StatusProtocolError},
			{"header without colon", []string{good, send + "nonsense\n\n{}\x00"}, websocket.StatusProtocolError},
			{"content-length runs past the NUL", []string{good, send + "content-length:2\n\n{}{}\x00"}, websocket.StatusProtocolError},
			{"negative content-length", []string{good, send + "content-length:-1\n\n{}\x00"}, websocket.StatusProtocolError},
			{"oversize body", []string{good, send + "\n" + strings.Repeat("x", 65<<10) + "\x00"}, websocket.StatusMessageTooBig},
			{"oversize content-length", []string{good, send + "content-length:1000000000\n\n{}"}, websocket.StatusMessageTooBig},
			{"subscription without id", []string{good, "SUBSCRIBE\ndestination:/topic/chat/" + room + "\n\n\x00"}, websocket.StatusProtocolError},
			{"unknown transaction", []string{good, send + "transaction:t\n\n{}\x00"}, websocket.StatusProtocolError},
		} {
			w := dialWire(t, s.wsURL(0))
			w.send(tc.sent...)
			for range tc.sent[1:] {
				w.expect("CONNECTED")
			}
			failure := w.expect("ERROR")
			if failure.Header.Get("message") == "" {
				t.Errorf("%s: the ERROR frame has no message header", tc.name)
			}
			if strings.Contains(string(failure.Body), alice.token) || strings.Contains(failure.Header.Get("message"), alice.token) {
				t.Errorf("%s: the ERROR frame shows the token", tc.name)
			}
			if got, code := w.next(); got != nil || code != tc.code {
				t.Errorf("%s: got frame %v, close code %d; want close code %d", tc.name, got, code, tc.code)
			}
		}
		if got := neighbour.say(room, "undisturbed", "n").Header.Get("seq"); got != "1" {
			t.Errorf("the neighbour's first message has seq %s, want 1", got)
		}
	})
}

// TestCutShort leaves in the middle of a frame: nothing is stored, and the next connection works.
func TestCutShort(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		room := s.room(t, p[0], p[1])
		w := login(t, s.wsURL(0), p[0])
		w.send("SEND\ndestination:/app/chat/" + room + "/send\ncontent-length:100\n\n{\"type\":\"TE")
		if err := w.socket.CloseNow(); err != nil {
			t.Fatalf("close: %v", err)
		}
		again := login(t, s.wsURL(0), p[0])
		if got := again.say(room, "whole", "1").Header.Get("seq"); got != "1" {
			t.Errorf("seq = %s, want 1: the cut message was stored", got)
		}
	})
}

// TestNULInsideABody is allowed by STOMP where there is a content-length; the store cannot hold it, and says so.
func TestNULInsideABody(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		room := s.room(t, p[0], p[1])
		w := login(t, s.wsURL(0), p[0])
		w.subscribe("errors", "/user/queue/errors")
		w.send("SEND\ndestination:/app/chat/" + room + "/send\ncontent-type:text/plain\ncontent-length:3\n\na\x00b\x00")
		if event := w.event("ERROR"); event["code"] != "INVALID" {
			t.Errorf("error = %v, want INVALID", event)
		}
	})
}

func TestBadTokenAtTheHandshake(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		_, response, err := websocket.Dial(t.Context(), s.wsURL(0)+"?token=nonsense", nil)
		if err == nil || response == nil || response.StatusCode != http.StatusUnauthorized {
			t.Fatalf("dial with a bad token: %v, response %v; want 401", err, response)
		}
	})
}
