package session_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/transport"
)

// slowly makes sessions leave a draining node one by one.
func slowly(c *client) { c.cfg.DrainSpread = time.Minute }

// leavesAfter drains a session that has an errors queue, and returns when the client was told that it will be closed.
func (c *client) leavesAfter() time.Duration {
	c.t.Helper()
	c.drain()
	out := c.out()
	if len(out) != 1 || !strings.Contains(out[0], "event:DRAIN") {
		c.t.Fatalf("a draining session sent %q, want one DRAIN event", out)
	}
	_, body, _ := strings.Cut(out[0], " | ")
	var told struct{ ReconnectAfterMs int64 }
	if err := json.Unmarshal([]byte(body), &told); err != nil {
		c.t.Fatal(err)
	}
	return time.Duration(told.ReconnectAfterMs) * time.Millisecond
}

func TestSlowDrain(t *testing.T) {
	t.Parallel()
	t.Run("goes on until the time that was told", func(t *testing.T) {
		t.Parallel()
		run(t, slowly, func(c *client) {
			c.connect("1.2")
			c.send(frame("SUBSCRIBE", "id:e", errorsTo))
			after := c.leavesAfter()
			if after < 0 || after >= time.Minute {
				t.Fatalf("told to leave after %v, want less than a minute", after)
			}
			c.send(sendTo1("r1"))
			c.expect(stored(1))
			c.pass(after)
			c.pass(time.Millisecond) // what was told is in whole milliseconds
			c.expectClose(transport.CloseServiceRestart)
		})
	})
	t.Run("tells the outcomes of what was taken", func(t *testing.T) {
		t.Parallel()
		run(t, func(c *client) { slowly(c); holdAnswers(c) }, func(c *client) {
			c.connect("1.2")
			c.send(frame("SUBSCRIBE", "id:e", errorsTo))
			after := c.leavesAfter()
			c.send(sendTo1("r1"))
			c.pass(after + time.Millisecond)
			c.send(sendTo1("late"))
			c.expect()
			c.expectClose(0)
			c.relay.Settle(0)
			c.expect(stored(1))
			c.expectClose(transport.CloseServiceRestart)
		})
	})
	t.Run("of a client that leaves by itself", func(t *testing.T) {
		t.Parallel()
		run(t, slowly, func(c *client) {
			c.connect("1.2")
			c.drain()
			c.send(frame("DISCONNECT", "receipt:bye"))
			c.expect("RECEIPT receipt-id:bye")
			c.expectClose(transport.CloseNormal)
		})
	})
	t.Run("does not wait for strangers", func(t *testing.T) {
		t.Parallel()
		run(t, slowly, func(c *client) {
			c.drain()
			c.expectClose(transport.CloseServiceRestart)
		})
	})
}

// Sessions of one node leave spread over the time, not together.
func TestSlowDrainSpreads(t *testing.T) {
	t.Parallel()
	var early, late int
	for range 20 {
		run(t, slowly, func(c *client) {
			c.connect("1.2")
			c.send(frame("SUBSCRIBE", "id:e", errorsTo))
			if c.leavesAfter() < 30*time.Second {
				early++
			} else {
				late++
			}
		})
	}
	if early == 0 || late == 0 { // by chance once in 2^39 runs
		t.Errorf("%d sessions leave in the first half of the time, %d in the second", early, late)
	}
}
