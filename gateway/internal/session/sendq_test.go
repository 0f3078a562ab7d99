package session_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/transport"
)

// large is an event of about 1 KiB.
func large(log event.Log, seq int64) event.Event {
	return event.New(log.Destination(), event.Message, seq, "m", []byte(strings.Repeat("x", 1000)))
}

func TestSlowConsumer(t *testing.T) {
	t.Parallel()
	slow := "ERROR message:slow consumer code:SLOW_CONSUMER"
	setup := func(c *client) { c.cfg.SendQueue = 10_000 }
	flood := func(c *client) {
		c.connect("1.2")
		c.send(frame("SUBSCRIBE", "id:1", topic1))
		c.conn.Stall()
		for seq := range int64(20) {
			c.hub.Publish(room(1), large(room(1), seq+1))
		}
	}
	t.Run("that reads again gets an ERROR and no gap", func(t *testing.T) {
		t.Parallel()
		run(t, setup, func(c *client) {
			flood(c)
			c.conn.Resume()
			out := c.out()
			for i, line := range out[:len(out)-1] {
				if !strings.Contains(line, "seq:"+string(rune('1'+i))+" ") {
					t.Errorf("frame %d is %.80s", i, line)
				}
			}
			if out[len(out)-1] != slow {
				t.Errorf("the last frame is %.80s, want %s", out[len(out)-1], slow)
			}
			c.expectClose(transport.CloseTryLater)
		})
	})
	t.Run("that reads no more is cut after the linger time", func(t *testing.T) {
		t.Parallel()
		run(t, setup, func(c *client) {
			flood(c)
			c.pass(c.cfg.Linger - 1)
			c.expectClose(0)
			c.pass(1)
			c.expect()
			c.expectClose(transport.CloseTryLater)
			<-c.done
		})
	})
	t.Run("leaves the hub once it is cut", func(t *testing.T) {
		t.Parallel()
		run(t, setup, func(c *client) {
			flood(c)
			c.pass(c.cfg.Linger)
			<-c.done
			if n := c.hub.Subscriptions(); n != 0 {
				t.Errorf("%d subscriptions are left", n)
			}
		})
	})
	t.Run("that takes no bytes while few wait", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			c.connect("1.2")
			c.send(frame("SUBSCRIBE", "id:1", topic1))
			c.conn.Stall()
			c.hub.Publish(room(1), large(room(1), 1))
			c.pass(c.cfg.SendTimeout + c.cfg.Linger)
			c.expectClose(transport.CloseTryLater)
			if total := c.cfg.SendTimeout + c.cfg.Linger; total > 10*time.Second {
				t.Errorf("it took %s, the contract says 10 s", total)
			}
		})
	})
	t.Run("that pauses and goes on is left alone", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			c.connect("1.2")
			c.send(frame("SUBSCRIBE", "id:1", topic1))
			for seq := range int64(5) {
				c.conn.Stall()
				c.hub.Publish(room(1), large(room(1), seq+1))
				c.pass(c.cfg.SendTimeout - 1)
				c.conn.Resume()
				if n := len(c.out()); n != 1 {
					t.Errorf("%d frames after a pause, want 1", n)
				}
			}
			c.pass(time.Hour)
			c.expectClose(0)
		})
	})
	t.Run("is not sent what its writer has taken but not written", func(t *testing.T) {
		t.Parallel()
		run(t, func(c *client) { c.cfg.SendQueue = 200_000 }, func(c *client) {
			c.connect("1.2")
			c.send(frame("SUBSCRIBE", "id:1", topic1))
			c.conn.Stall()
			publish := func(n int) {
				for range n {
					c.hub.Publish(room(1), large(room(1), 0))
				}
				synctest.Wait()
			}
			publish(1)
			publish(150)
			c.conn.Step()
			synctest.Wait() // now the writer has taken 150 frames and is stuck with the first 64 KiB of them
			publish(60)
			c.conn.Resume()
			out := c.out()
			if len(out) > 70 || out[len(out)-1] != slow {
				t.Errorf("%d frames, the last one %.80s; want one batch and %s", len(out), out[len(out)-1], slow)
			}
			c.expectClose(transport.CloseTryLater)
		})
	})
	t.Run("is not sent what is only true for a moment", func(t *testing.T) {
		t.Parallel()
		run(t, setup, func(c *client) {
			c.connect("1.2")
			c.send(frame("SUBSCRIBE", "id:1", topic1))
			c.conn.Stall()
			state := func(kind event.Kind) {
				c.hub.Publish(room(1), event.New(room(1).Destination(), kind, 0, "m", []byte(`{}`)))
			}
			for seq := range int64(4) {
				state(event.Typing)
				c.hub.Publish(room(1), large(room(1), seq+1))
			}
			for range 1000 { // far beyond the bound
				for _, kind := range []event.Kind{event.Typing, event.Read, event.Delivered, event.UserStatus} {
					state(kind)
				}
			}
			state("SOMETHING")
			c.hub.Publish(room(1), large(room(1), 5))
			c.conn.Resume()
			var kinds []string
			for _, line := range c.out() {
				_, rest, _ := strings.Cut(line, "event:")
				kind, _, _ := strings.Cut(rest, " ")
				kinds = append(kinds, kind)
			}
			want := "TYPING MESSAGE TYPING MESSAGE TYPING MESSAGE TYPING MESSAGE SOMETHING MESSAGE"
			if got := strings.Join(kinds, " "); got != want {
				t.Errorf("the client got %s, want %s", got, want)
			}
			state(event.Typing) // it keeps up again
			if n := len(c.out()); n != 1 {
				t.Errorf("%d frames, want the state event", n)
			}
			c.expectClose(0)
		})
	})
	t.Run("whose own receipts pile up", func(t *testing.T) {
		t.Parallel()
		run(t, setup, func(c *client) {
			c.connect("1.2")
			c.conn.Stall()
			c.send(strings.Repeat(sendTo1(strings.Repeat("r", 1000)), 20))
			c.conn.Resume()
			out := c.out()
			if out[len(out)-1] != slow {
				t.Errorf("the last frame is %.80s, want %s", out[len(out)-1], slow)
			}
			c.expectClose(transport.CloseTryLater)
		})
	})
}

func TestFramesGoOutInFewWrites(t *testing.T) {
	t.Parallel()
	run(t, nil, func(c *client) {
		c.connect("1.2")
		c.send(frame("SUBSCRIBE", "id:1", topic1))
		c.conn.Stall()
		before := c.conn.Writes()
		for seq := range int64(300) {
			c.hub.Publish(room(1), large(room(1), seq+1))
		}
		c.conn.Resume()
		if n := len(c.out()); n != 300 {
			t.Errorf("%d frames came out, want 300", n)
		}
		// The first may have gone alone, before the client stalled; the others in batches of 64 KiB.
		if n := c.conn.Writes() - before; n > 7 {
			t.Errorf("300 frames of 1 KiB took %d writes", n)
		}
	})
}

func TestClosingIsBoundedWhenTheClientTakesNothing(t *testing.T) {
	t.Parallel()
	run(t, nil, func(c *client) {
		c.connect("1.2")
		c.conn.Stall()
		c.send("NONSENSE\n\n^@")
		c.pass(c.cfg.Linger)
		c.expectClose(transport.CloseProtocol)
		<-c.done
	})
}

func TestNoBeatsPileUpForAClientThatTakesNothing(t *testing.T) {
	t.Parallel()
	setup := func(c *client) { c.cfg.SendTimeout = time.Hour }
	run(t, setup, func(c *client) {
		beats(c, "0,10000")
		c.conn.Stall()
		c.pass(10 * time.Minute)
		c.conn.Resume()
		c.expect("beat")
	})
}
