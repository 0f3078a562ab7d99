package ws_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/transport"
	"github.com/fliliy/chat/gateway/internal/transport/ws"
)

// This file holds what the protocol's checklist (PROTOCOL.md) asks for beside the other tests.

func TestDefaults(t *testing.T) {
	t.Parallel()
	got := ws.Options{}.WithDefaults()
	if got.PingEvery != 25*time.Second || got.PongWait != 10*time.Second || got.WriteTimeout != 10*time.Second ||
		got.MaxMessage != 128<<10 {
		t.Errorf("defaults %+v, want a ping every 25 s, 10 s for its answer, 10 s for a write, messages of 128 KiB", got)
	}
}

// What browsers and libraries send is accepted, and answered as RFC 6455 section 4.2.2 says.
func TestHandshakeAccepted(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{})
	for name, header := range map[string]map[string]string{
		"plain":        {},
		"Firefox":      {"Connection": "keep-alive, Upgrade"},
		"upper case":   {"Connection": "UPGRADE", "Upgrade": "WebSocket"},
		"no list of 1": {"Connection": "Upgrade,"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp, body := do(t, r.request(t, "/ws", header))
			if resp.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("status %d, want 101; %s", resp.StatusCode, body)
			}
			for key, want := range map[string]string{
				"Upgrade": "websocket", "Connection": "upgrade", "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
			} {
				if got := resp.Header.Get(key); !strings.EqualFold(got, want) {
					t.Errorf("%s = %q, want %q", key, got, want)
				}
			}
		})
	}
}

// Only STOMP's own bytes are a sign of life for its heart-beats: a session must not hear of pings, pongs and empty
// messages.
func TestReadKnowsNoControlFrames(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{})
	w := dialWire(t, r)
	s := r.accepted(t)
	w.send(t, frame(fin|opPing, "?"), frame(fin|opPong, "!"), frame(fin|opText, ""), frame(fin|opBinary, ""),
		frame(opText, ""), frame(fin|opPing, ""), frame(fin|opContinue, ""), frame(fin|opText, "x"))
	if p, err := s.conn.Read(t.Context()); err != nil || string(p) != "x" {
		t.Errorf("Read = %q, %v; want the first bytes that are a message's", p, err)
	}
}

// A ping between the fragments of a message is answered at once, not behind the message.
func TestPingWithinAMessageIsAnswered(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{})
	w := dialWire(t, r)
	got, _ := reading(t, r.accepted(t))
	w.send(t, frame(opText, "one "), frame(fin|opPing, "?"))
	if first, payload, err := w.read(); err != nil || first != fin|opPong || string(payload) != "?" {
		t.Fatalf("got %x %q, %v; want a pong", first, payload, err)
	}
	w.send(t, frame(fin|opContinue, "two"), frame(fin|opClose, "\x03\xe8"))
	if got() != "one two" {
		t.Errorf("read %q", got())
	}
}

// Every code that the gateway closes with arrives, with its reason (RFC 6455 section 7.4). There is no 1003: text and
// binary messages are both taken.
func TestServerCloseCodes(t *testing.T) {
	t.Parallel()
	for _, code := range []transport.CloseCode{
		transport.CloseNormal, transport.CloseGoingAway, transport.CloseProtocol, transport.CloseInvalidUTF8,
		transport.ClosePolicy, transport.CloseTooLarge, transport.CloseInternal, transport.CloseServiceRestart,
		transport.CloseTryLater,
	} {
		r := newRig(t, ws.Options{})
		w := dialWire(t, r)
		conn := r.accepted(t).conn
		closed := make(chan error, 1)
		go func() { closed <- conn.Close(code, "why") }()
		first, payload, err := w.read()
		if err != nil || first != fin|opClose || string(payload) != string([]byte{byte(code >> 8), byte(code)})+"why" {
			t.Errorf("code %d: got %x %q, %v", code, first, payload, err)
		}
		w.send(t, frame(fin|opClose, string(payload)))
		_ = w.Close()
		if err := <-closed; err != nil {
			t.Errorf("code %d: Close: %v", code, err)
		}
	}
}
