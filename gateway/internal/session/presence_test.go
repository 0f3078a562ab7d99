package session_test

import (
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/fake"
	"github.com/fliliy/chat/gateway/internal/session"
)

func status(user, what string) event.Event {
	return event.New("/topic/chat/1", event.UserStatus, 0, user+"-"+what, []byte(`{"`+user+`":"`+what+`"}`))
}

func presence(text string) *event.Event {
	e := event.New("/topic/chat/1", event.Presence, 0, "p", []byte(text))
	return &e
}

// A client cut off before its first event knows from where to resume, also in an empty log.
func TestSubscribeReceiptNamesThePosition(t *testing.T) {
	t.Parallel()
	run(t, nil, func(c *client) {
		c.connect("1.2")
		c.send(frame("SUBSCRIBE", "id:1", topic1, "receipt:r"))
		if got, want := c.bytes(), "RECEIPT\nreceipt-id:r\nseq:0\n\n\x00"; got != want {
			t.Errorf("RECEIPT of an empty log %q, want %q", got, want)
		}
		c.hub.Publish(room(2), message(room(2), 7, "2-7"))
		c.send(frame("SUBSCRIBE", "id:2", "destination:/topic/chat/2", "receipt:r2"))
		c.expect("RECEIPT receipt-id:r2 seq:7")
		c.send(frame("SUBSCRIBE", "id:e", errorsTo, "receipt:e"))
		if got, want := c.bytes(), "RECEIPT\nreceipt-id:e\n\n\x00"; got != want {
			t.Errorf("RECEIPT of the errors queue, which is no log: %q, want %q", got, want)
		}
	})
}

// The RECEIPT does not wait for presence; changes that come before the snapshot follow it, everything else passes.
func TestPresenceAfterSubscribe(t *testing.T) {
	t.Parallel()
	run(t, func(c *client) { c.hub.Members = []string{"alice", "bob"} }, func(c *client) {
		c.connect("1.2")
		c.send(frame("SUBSCRIBE", "id:1", topic1, "receipt:r"))
		c.expect("RECEIPT receipt-id:r")
		if calls := c.where.Calls(); len(calls) != 1 || calls[0] != "alice 1 [alice bob]" {
			t.Fatalf("asked %q", calls)
		}
		c.hub.Publish(room(1), status("bob", "offline"))
		c.expect()
		c.hub.Publish(room(1), message(room(1), 1, "1-1"))
		if out := c.out(); len(out) != 1 || !strings.Contains(out[0], "message-id:1-1") {
			t.Errorf("before the snapshot came %q, want the message", out)
		}
		c.where.Answer(presence("who"))
		c.hub.Publish(room(1), status("bob", "online"))
		bodies(t, c.out(), "who", `{"bob":"offline"}`, `{"bob":"online"}`)
	})
}

// Only rooms have presence, a refused subscription has none, and one that is over gets none.
func TestPresenceIsOfLiveRoomsOnly(t *testing.T) {
	t.Parallel()
	run(t, nil, func(c *client) {
		c.connect("1.2")
		c.send(frame("SUBSCRIBE", "id:i", "destination:/user/queue/messages") + frame("SUBSCRIBE", "id:e", errorsTo))
		c.hub.Refuse = func(_ string, log event.Log) error {
			if log.Room == 2 {
				return &event.Error{Code: event.Forbidden, Message: "no"}
			}
			return nil
		}
		c.send(frame("SUBSCRIBE", "id:2", "destination:/topic/chat/2"))
		c.out()
		if calls := c.where.Calls(); len(calls) != 0 {
			t.Errorf("asked %q, want nothing", calls)
		}
		c.send(frame("SUBSCRIBE", "id:1", topic1) + frame("UNSUBSCRIBE", "id:1"))
		c.where.Answer(presence("late"))
		c.expect()
	})
}

// What is held back is bounded, and the newest stay.
func TestPresenceHoldsBackABoundedNumber(t *testing.T) {
	t.Parallel()
	run(t, nil, func(c *client) {
		c.connect("1.2")
		c.send(frame("SUBSCRIBE", "id:1", topic1))
		for range 1000 {
			c.hub.Publish(room(1), status("bob", "away"))
		}
		c.hub.Publish(room(1), status("bob", "online"))
		c.where.Answer(presence("who"))
		out := c.out()
		if len(out) != 257 || !strings.HasSuffix(out[0], "who") || !strings.HasSuffix(out[256], `{"bob":"online"}`) {
			t.Errorf("%d frames, first %q, last %q", len(out), out[0], out[len(out)-1])
		}
	})
}

func bodies(t *testing.T, out []string, want ...string) {
	t.Helper()
	if len(out) != len(want) {
		t.Fatalf("came %q, want %q", out, want)
	}
	for i := range out {
		if !strings.HasSuffix(out[i], "| "+want[i]) {
			t.Errorf("frame %d is %q, want %q", i, out[i], want[i])
		}
	}
}

var _ session.Whereabouts = (*fake.Where)(nil)
