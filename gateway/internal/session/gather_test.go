package session_test

import (
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/transport"
)

// A RECEIPT waits a moment for the sender's own MESSAGE, so that both are one write, and for nothing else.
func TestGather(t *testing.T) {
	t.Parallel()
	gather := func(c *client) { c.cfg.Gather = time.Millisecond }
	listen := func(c *client) {
		c.connect("1.2")
		c.send(frame("SUBSCRIBE", "id:1", topic1))
		c.out()
	}
	for name, c := range map[string]struct {
		waiting bool // by itself
		test    func(c *client)
	}{
		"with the own message": {true, func(c *client) {
			listen(c)
			before := c.conn.Writes()
			c.send(sendTo1("r1"))
			c.expect()
			c.hub.Publish(room(1), large(room(1), 1))
			if out := c.out(); len(out) != 2 || out[0] != stored(1) {
				c.t.Errorf("sent %.200q, want the RECEIPT and the MESSAGE", out)
			}
			if writes := c.conn.Writes() - before; writes != 1 {
				c.t.Errorf("%d writes, want one", writes)
			}
			c.pass(time.Second)
			c.expect()
		}},
		"a message that does not come": {true, func(c *client) {
			listen(c)
			for n := 1; n <= 3; n++ {
				c.send(sendTo1("r" + string(rune('0'+n))))
				c.expect()
				c.pass(time.Millisecond)
				c.expect(stored(n))
			}
		}},
		"two receipts": {true, func(c *client) {
			listen(c)
			c.send(sendTo1("r1"))
			c.send(sendTo1("r2"))
			c.expect(stored(1), stored(2))
		}},
		"a sender who does not listen": {true, func(c *client) {
			c.connect("1.2")
			c.send(frame("SUBSCRIBE", "id:1", "destination:/topic/chat/2"))
			c.send(sendTo1("r1"))
			c.expect(stored(1))
		}},
		"a sender who listens no more": {true, func(c *client) {
			listen(c)
			c.send(frame("UNSUBSCRIBE", "id:1"))
			c.send(sendTo1("r1"))
			c.expect(stored(1))
		}},
		"the end": {true, func(c *client) {
			listen(c)
			c.send(sendTo1("r1"))
			c.send(frame("DISCONNECT", "receipt:bye"))
			c.expect(stored(1), "RECEIPT receipt-id:bye")
			c.expectClose(transport.CloseNormal)
		}},
		"the client's end": {true, func(c *client) {
			listen(c)
			c.send(sendTo1("r1"))
		}},
		"a connection with a writer of its own": {false, func(c *client) {
			listen(c)
			c.send(sendTo1("r1"))
			c.expect(stored(1))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runOn(t, c.waiting, gather, c.test)
		})
	}
}
