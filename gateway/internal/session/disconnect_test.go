package session_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fliliy/chat/gateway/internal/transport"
)

func TestDisconnect(t *testing.T) {
	t.Parallel()
	tell(t, []story{
		{name: "the RECEIPT is the last frame", version: "1.2", close: transport.CloseNormal, steps: []step{
			{frame("SUBSCRIBE", "id:1", topic1), nil},
			{frame("DISCONNECT", "receipt:d") + sendTo1("late"), []string{"RECEIPT receipt-id:d"}},
			{sendTo1("later") + "NONSENSE\n\n^@", nil},
		}},
		{name: "without a receipt", version: "1.2", close: transport.CloseNormal, steps: []step{
			{frame("DISCONNECT"), nil},
		}},
		{name: "in 1.0", version: "1.0", close: transport.CloseNormal, steps: []step{
			{frame("DISCONNECT", "receipt:d"), []string{"RECEIPT receipt-id:d"}},
		}},
	})
}

func TestFramesAfterDisconnectHaveNoEffect(t *testing.T) {
	t.Parallel()
	run(t, nil, func(c *client) {
		c.connect("1.2")
		c.send(frame("DISCONNECT") + sendTo1("late"))
		<-c.done
		if n := len(c.relay.Submitted()); n != 0 {
			t.Errorf("%d submissions after DISCONNECT", n)
		}
	})
}

func TestConnectionLost(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(c *client){
		"before CONNECT": func(*client) {},
		"connected":      func(c *client) { c.connect("1.2") },
		"subscribed": func(c *client) {
			c.connect("1.2")
			c.send(frame("SUBSCRIBE", "id:1", topic1) + frame("SUBSCRIBE", "id:e", errorsTo))
		},
		"in a transaction": func(c *client) {
			c.connect("1.2")
			c.send(frame("BEGIN", "transaction:t") + within("t", "/app/chat/1/send", "x"))
		},
		"in the middle of a frame": func(c *client) {
			c.connect("1.2")
			c.send("SEND\ndest")
		},
		"while a SEND is outstanding": func(c *client) {
			c.relay.Hold = true
			c.connect("1.2")
			c.send(sendTo1("r"))
		},
		"while the client takes no bytes": func(c *client) {
			c.connect("1.2")
			c.conn.Stall()
			c.send(sendTo1("r"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				prepare(c)
				c.conn.HangUp(transport.CloseGoingAway)
				synctest.Wait()
				select {
				case <-c.done:
				default:
					t.Error("the session goes on after its connection is lost")
				}
			})
		})
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	t.Run("tells the errors queue and closes", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			c.connect("1.2")
			c.send(frame("SUBSCRIBE", "id:e", errorsTo) + frame("SUBSCRIBE", "id:1", topic1))
			c.drain()
			c.expect(`MESSAGE subscription:e destination:/user/queue/errors message-id:S-1 event:DRAIN` +
				` | {"event":"DRAIN","reconnectAfterMs":...`)
			c.expectClose(transport.CloseServiceRestart)
		})
	})
	t.Run("without errors queue", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			c.connect("1.2")
			c.drain()
			c.expect()
			c.expectClose(transport.CloseServiceRestart)
		})
	})
	t.Run("before CONNECT", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			c.drain()
			c.expectClose(transport.CloseServiceRestart)
		})
	})
	t.Run("outcomes of what was taken are told, and nothing more is taken", func(t *testing.T) {
		t.Parallel()
		run(t, holdAnswers, func(c *client) {
			c.connect("1.2")
			c.send(sendTo1("r1"))
			c.drain()
			c.expect()
			c.send(sendTo1("r2"))
			c.expectClose(0)
			c.relay.Settle(0)
			c.expect(stored(1))
			c.expectClose(transport.CloseServiceRestart)
			if n := len(c.relay.Submitted()); n != 1 {
				t.Errorf("%d submissions, want only the one before the drain", n)
			}
		})
	})
	t.Run("does not wait for ever", func(t *testing.T) {
		t.Parallel()
		run(t, holdAnswers, func(c *client) {
			c.connect("1.2")
			c.send(sendTo1("r1"))
			c.drain()
			c.pass(c.cfg.Linger)
			c.expect()
			c.expectClose(transport.CloseServiceRestart)
		})
	})
}

func TestDrainSpreadsReconnects(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for range 20 {
		run(t, nil, func(c *client) {
			c.connect("1.2")
			c.send(frame("SUBSCRIBE", "id:e", errorsTo))
			c.drain()
			_, after, _ := strings.Cut(c.out()[0], "reconnectAfterMs")
			seen[after] = true
		})
	}
	if len(seen) < 2 {
		t.Errorf("20 clients were all told the same: %v", seen)
	}
}
