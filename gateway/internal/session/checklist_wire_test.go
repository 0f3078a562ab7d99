package session_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/transport"
)

// An ERROR frame says in short what is wrong, at length what to do, and shows nothing of ours or of others; it is the
// last frame, then comes the close (STOMP 1.2, "ERROR").
func TestErrorFrames(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	for name, in := range map[string]string{
		"unknown command":        frame("SHOUT", "x:"+secret),
		"header without colon":   "SEND\n" + secret + "\n\n^@",
		"bad escape":             "SEND\nx:" + secret + `\t` + "\n\n^@",
		"bad content-length":     "SEND\ncontent-length:" + secret + "\n\n^@",
		"body too large":         frameWith(strings.Repeat(secret, 20_000), "SEND"),
		"too many headers":       "SEND\n" + strings.Repeat("x:"+secret+"\n", 101) + "\n^@",
		"missing header":         frame("SUBSCRIBE", "id:"+secret),
		"unknown transaction":    frame("COMMIT", "transaction:"+secret),
		"unknown ack id":         frame("ACK", "id:"+secret),
		"bad ack mode":           frame("SUBSCRIBE", "id:1", topic1, "ack:"+secret),
		"refused by a port":      frame("SUBSCRIBE", "id:"+secret, topic1),
		"second CONNECT":         frame("CONNECT", "token:"+secret),
		"bad token in a renewal": renewal(secret),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, forbidEverything, func(c *client) {
				c.connect("1.2")
				c.send(in + frame("BEGIN", "transaction:t", "receipt:late"))
				raw := c.bytes()
				c.expectClose(c.conn.Closed().Code)
				head, body, _ := strings.Cut(raw, "\n\n")
				body = strings.TrimSuffix(body, "\x00")
				message, _, _ := strings.Cut(strings.TrimPrefix(head, "ERROR\nmessage:"), "\n")
				if !strings.HasPrefix(raw, "ERROR\nmessage:") || message == "" || len(message) > 40 {
					t.Errorf("%q is no ERROR frame with a short message", raw)
				}
				for _, line := range []string{"\ncontent-type:text/plain", fmt.Sprint("\ncontent-length:", len(body))} {
					if !strings.Contains(head, line) {
						t.Errorf("%q: no header %q", raw, line)
					}
				}
				if body == "" || strings.Contains(raw, secret) || strings.Contains(body, "\x00") {
					t.Errorf("%q: want one frame with a body, and nothing that the client sent", raw)
				}
			})
		})
	}
}

// Each code of the contract has its close code; 1013 invites to come back, 1008 does not.
func TestCloseCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[event.Code]transport.CloseCode{
		event.Unauthenticated: 1008, event.TokenExpired: 1008, event.Forbidden: 1008, event.RateLimited: 1008,
		event.Invalid: 1002, event.TooLarge: 1009, event.SlowConsumer: 1013, event.Unavailable: 1013, event.Internal: 1011,
	} {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			setup := func(c *client) {
				c.hub.Refuse = func(string, event.Log) error { return &event.Error{Code: code, Message: "why"} }
			}
			run(t, setup, func(c *client) {
				c.connect("1.2")
				c.send(frame("SUBSCRIBE", "id:1", topic1))
				c.expect("ERROR message:" + string(code) + " code:" + string(code))
				c.expectClose(want)
			})
		})
	}
}

// What the client is told at the end reaches one that pauses for less than the linger time.
func TestTheLastFrameIsFlushed(t *testing.T) {
	t.Parallel()
	run(t, nil, func(c *client) {
		c.connect("1.2")
		c.conn.Stall()
		c.send(frame("NONSENSE"))
		c.pass(c.cfg.Linger - 1)
		c.expectClose(0)
		c.conn.Resume()
		c.expect("ERROR message:unknown command code:INVALID")
		c.expectClose(transport.CloseProtocol)
	})
}

// A MESSAGE as it is on the wire, in each version.
func TestMessageOnTheWire(t *testing.T) {
	t.Parallel()
	const rest = "destination:/topic/chat/1\nmessage-id:1-7\ncontent-type:application/json\nevent:MESSAGE\nseq:7\n" +
		"content-length:19\n\n{\"event\":\"MESSAGE\"}\x00"
	for name, tc := range map[string]struct {
		version string
		headers []string
		want    string
	}{
		"1.2":            {"1.2", []string{"id:s"}, "subscription:s\n"},
		"1.2 client":     {"1.2", []string{"id:s", "ack:client"}, "subscription:s\nack:1-7\n"},
		"1.1 client":     {"1.1", []string{"id:s", "ack:client"}, "subscription:s\n"},
		"1.0":            {"1.0", []string{"id:s"}, "subscription:s\n"},
		"1.0 without id": {"1.0", nil, "subscription:/topic/chat/1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				c.connect(tc.version)
				c.send(frame(append([]string{"SUBSCRIBE", topic1}, tc.headers...)...))
				c.hub.Publish(room(1), message(room(1), 7, "1-7"))
				c.pass(0)
				if got, want := c.bytes(), "MESSAGE\n"+tc.want+rest; got != want {
					t.Errorf("got  %q\nwant %q", got, want)
				}
			})
		})
	}
}

func TestMessageIDsOfASessionDiffer(t *testing.T) {
	t.Parallel()
	run(t, nil, func(c *client) {
		c.connect("1.2")
		c.send(frame("SUBSCRIBE", "id:e", errorsTo))
		seen := map[string]bool{}
		for range 3 {
			c.send(frame("SEND", "destination:/nowhere"))
			_, rest, _ := strings.Cut(c.bytes(), "\nmessage-id:")
			id, _, _ := strings.Cut(rest, "\n")
			seen[id] = true
		}
		if len(seen) != 3 || seen[""] {
			t.Errorf("three errors have the message ids %v", seen)
		}
	})
}
