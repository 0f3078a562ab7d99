package session_test

import (
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/session"
	"github.com/fliliy/chat/gateway/internal/transport"
)

func TestHeartBeatHeader(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"0,0", "10000,10000", "1,0", "4294967295,0"} {
		t.Run("good "+good, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				c.send(frame("CONNECT", "accept-version:1.2", "heart-beat:"+good))
				c.expect(welcome12)
			})
		})
	}
	for _, bad := range []string{"", "1", "a,b", "-1,0", "+1,0", "1,2,3", ",", "1,", "1.5,0", "0,4294967296", " 1,1"} {
		t.Run("bad "+bad, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				c.send(frame("CONNECT", "accept-version:1.2", "heart-beat:"+bad))
				c.expect("ERROR message:bad heart-beat code:INVALID")
				c.expectClose(transport.CloseProtocol)
			})
		})
	}
	t.Run("the server's offer is configured", func(t *testing.T) {
		t.Parallel()
		setup := func(c *client) { c.cfg.HeartBeat = session.HeartBeat{Send: 5 * time.Second} }
		run(t, setup, func(c *client) {
			c.send(frame("CONNECT", "accept-version:1.2"))
			c.expect("CONNECTED version:1.2 heart-beat:5000,0...")
		})
	})
}

// beats opens a session with a heart-beat header.
func beats(c *client, header string) {
	c.send(frame("CONNECT", "accept-version:1.2", "heart-beat:"+header))
	c.out()
}

func TestServerBeats(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		header string
		every  time.Duration // 0: never
	}{
		"client wants more than the server can": {"0,1000", 10 * time.Second},
		"client wants fewer":                    {"0,30000", 30 * time.Second},
		"client wants none":                     {"0,0", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				beats(c, test.header)
				if test.every == 0 {
					c.pass(time.Hour)
					c.expect()
					return
				}
				for range 5 {
					c.pass(test.every - 1)
					c.expect()
					c.pass(1)
					c.expect("beat")
				}
			})
		})
	}
	t.Run("server offers none", func(t *testing.T) {
		t.Parallel()
		run(t, func(c *client) { c.cfg.HeartBeat = session.HeartBeat{} }, func(c *client) {
			beats(c, "1000,1000")
			c.pass(time.Hour)
			c.expect()
			c.expectClose(0)
		})
	})
	t.Run("none without header", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			c.connect("1.0")
			c.pass(time.Hour)
			c.expect()
		})
	})
	t.Run("measured from the last send", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			beats(c, "0,10000")
			for range 5 {
				c.pass(9 * time.Second)
				c.send(frame("BEGIN", "transaction:t", "receipt:r") + frame("ABORT", "transaction:t"))
				c.expect("RECEIPT receipt-id:r")
			}
			c.pass(10*time.Second - 1)
			c.expect()
			c.pass(1)
			c.expect("beat")
		})
	})
}

func TestClientSilence(t *testing.T) {
	t.Parallel()
	t.Run("ends the session after two intervals and 5 s", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			beats(c, "10000,0")
			c.pass(25*time.Second - 1)
			c.expectClose(0)
			c.pass(1)
			c.expect("ERROR message:heart-beat code:INVALID")
			c.expectClose(transport.CloseProtocol)
		})
	})
	t.Run("ends the session after three short intervals", func(t *testing.T) {
		t.Parallel()
		run(t, func(c *client) { c.cfg.HeartBeat.Receive = time.Second }, func(c *client) {
			beats(c, "1000,0")
			c.pass(3*time.Second - 1)
			c.expectClose(0)
			c.pass(1)
			c.expectClose(transport.CloseProtocol)
		})
	})
	t.Run("the slower side counts", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			beats(c, "20000,0")
			c.pass(45*time.Second - 1)
			c.expectClose(0)
			c.pass(1)
			c.expectClose(transport.CloseProtocol)
		})
	})
	t.Run("is allowed to a client that sends none", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			beats(c, "0,0")
			c.pass(time.Hour)
			c.expectClose(0)
		})
	})
	t.Run("any bytes end it", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			beats(c, "10000,0")
			for _, bytes := range []string{"\n", "\r\n", "SEND\ndest", "ination:/app/chat/1/read\n\n", "^@"} {
				c.pass(25*time.Second - 1)
				c.send(bytes)
			}
			c.expectClose(0)
			c.pass(25 * time.Second)
			c.expectClose(transport.CloseProtocol)
		})
	})
	t.Run("is not the client's fault while the session is busy", func(t *testing.T) {
		t.Parallel()
		setup := func(c *client) { c.hub.Gate = make(chan struct{}) }
		run(t, setup, func(c *client) {
			beats(c, "10000,0")
			c.send(frame("SUBSCRIBE", "id:1", topic1, "receipt:r"))
			c.pass(time.Minute)
			c.expectClose(0)
			close(c.hub.Gate)
			c.expect("RECEIPT receipt-id:r")
			c.pass(25*time.Second - 1)
			c.expectClose(0)
			c.pass(1)
			c.expectClose(transport.CloseProtocol)
		})
	})
}
