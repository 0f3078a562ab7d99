package session_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/transport"
)

// told are the delivered marks that the chat service was told, as room and body, in their order.
func told(c *client) []string {
	var marks []string
	for _, submission := range c.relay.Submitted() {
		for _, act := range submission.Actions {
			if act.Verb == action.Delivered {
				marks = append(marks, fmt.Sprint(submission.User, " ", act.Room, " ", string(act.Body)))
			}
		}
	}
	return marks
}

func (c *client) wantTold(want ...string) {
	c.t.Helper()
	if got := told(c); !slices.Equal(got, want) {
		c.t.Errorf("the chat service was told %q, want %q", got, want)
	}
}

// state is an event of a room without a seq.
func state(id string) event.Event {
	return event.New("/topic/chat/1", "TYPING", 0, id, []byte(`{"event":"TYPING"}`))
}

// follow subscribes room 1 as number 1 and delivers 7, a state event, 8 and another state event.
func follow(c *client, version, mode string) {
	c.connect(version)
	c.send(frame("SUBSCRIBE", "id:s", topic1, "ack:"+mode))
	c.hub.Publish(room(1), message(room(1), 7, "1-7"), state("x"), message(room(1), 8, "1-8"), state("y"))
	c.out()
}

func TestAckMovesTheDeliveredMark(t *testing.T) {
	t.Parallel()
	byID := func(id string) string { return frame("ACK", "id:"+id) }
	byMessageID := func(id string) string { return frame("ACK", "subscription:s", "message-id:"+id) }
	const seven, eight = `alice 1 {"seq":7}`, `alice 1 {"seq":8}`
	for name, test := range map[string]struct {
		version, mode, in string
		want              []string
	}{
		"1.2 first":                        {"1.2", "client", byID("1-7"), []string{seven}},
		"1.2 last":                         {"1.2", "client", byID("1-8"), []string{eight}},
		"1.2 individual":                   {"1.2", "client-individual", byID("1-8"), []string{eight}},
		"1.2 of a state event counts":      {"1.2", "client", byID("1-7+1"), []string{seven}},
		"1.2 of a state event behind":      {"1.2", "client", byID("1-8+2"), []string{eight}},
		"1.2 individual, of a state event": {"1.2", "client-individual", byID("1-8+2"), nil},
		"1.2 again":                        {"1.2", "client", byID("1-8") + byID("1-8"), []string{eight}},
		"1.2 back":                         {"1.2", "client-individual", byID("1-8") + byID("1-7"), []string{eight}},
		"1.2 forward":                      {"1.2", "client", byID("1-7") + byID("1-8"), []string{seven, eight}},
		"1.2 NACK":                         {"1.2", "client", frame("NACK", "id:1-8"), nil},
		"1.1":                              {"1.1", "client", byMessageID("1-8"), []string{eight}},
		"1.1 of a state event":             {"1.1", "client", byMessageID("x"), []string{seven}},
		"1.1 individual, of a state event": {"1.1", "client-individual", byMessageID("x"), nil},
		"1.1 auto":                         {"1.1", "auto", byMessageID("1-8"), nil},
		"1.1 NACK":                         {"1.1", "client", frame("NACK", "subscription:s", "message-id:1-8"), nil},
		"1.0":                              {"1.0", "client", frame("ACK", "message-id:1-7"), []string{seven}},
		"1.2 of a subscription that is over": {
			"1.2", "client", frame("UNSUBSCRIBE", "id:s") + byID("1-8"), nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				follow(c, test.version, test.mode)
				c.send(test.in)
				c.expect()
				c.wantTold(test.want...)
				c.expectClose(0)
			})
		})
	}
}

func TestAckOfWhatWasNotDeliveredIsRefused(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]string{
		"before the first": "1-6", "after the last": "1-9", "state event to come": "1-8+3",
		"state event after the last": "1-9+1", "no such subscription": "2-7", "leading zero": "1-07",
		"negative": "1--7", "extra 0": "1-7+0", "no place": "1-", "over 64 bits": "1-9223372036854775808",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				follow(c, "1.2", "client")
				c.send(frame("ACK", "id:"+id))
				c.expect("ERROR message:unknown ack id code:INVALID")
				c.expectClose(transport.CloseProtocol)
				c.wantTold()
			})
		})
	}
}

func TestAckWithAHugeIDIsRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("1", 300)
	for version, ack := range map[string]string{
		"1.2": frame("ACK", "id:1-"+long),
		"1.1": frame("ACK", "subscription:s", "message-id:1-"+long),
		"1.0": frame("ACK", "message-id:1-"+long),
	} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				follow(c, version, "client")
				c.send(ack)
				c.expect("ERROR message:header too long code:INVALID")
				c.expectClose(transport.CloseProtocol)
				c.wantTold()
			})
		})
	}
}

func TestAckOfAnInboxMovesNothing(t *testing.T) {
	t.Parallel()
	run(t, nil, func(c *client) {
		c.connect("1.2")
		c.send(frame("SUBSCRIBE", "id:i", "destination:/user/queue/messages", "ack:client"))
		inbox := event.Log{User: "alice"}
		c.hub.Publish(inbox, message(inbox, 3, "9-3"), message(inbox, 4, "9-4"))
		c.out()
		c.send(frame("ACK", "id:1-2", "receipt:r"))
		c.expect("RECEIPT receipt-id:r")
		c.wantTold()
	})
}

// A burst of ACKs is one command, and then one more with the highest of those that came meanwhile.
func TestAckBurstIsOneCommandAtATime(t *testing.T) {
	t.Parallel()
	run(t, holdAnswers, func(c *client) {
		subscribed(c, "1.2", "client-individual", 9)
		c.send(frame("ACK", "id:1-3", "receipt:r3"))
		for _, seq := range []int{5, 9, 4, 7} {
			c.send(frame("ACK", fmt.Sprint("id:1-", seq), fmt.Sprint("receipt:r", seq)))
		}
		c.expect()
		c.wantTold(`alice 1 {"seq":3}`)
		c.relay.Settle(0)
		c.expect("RECEIPT receipt-id:r3")
		c.wantTold(`alice 1 {"seq":3}`, `alice 1 {"seq":9}`)
		c.relay.Settle(1)
		c.expect("RECEIPT receipt-id:r5", "RECEIPT receipt-id:r9", "RECEIPT receipt-id:r4", "RECEIPT receipt-id:r7")
		c.send(frame("ACK", "id:1-8", "receipt:r8"))
		c.expect("RECEIPT receipt-id:r8")
		c.wantTold(`alice 1 {"seq":3}`, `alice 1 {"seq":9}`)
	})
}

func TestAcksOfTwoRoomsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	run(t, holdAnswers, func(c *client) {
		subscribed(c, "1.2", "client", 2)
		c.send(frame("SUBSCRIBE", "id:t", "destination:/topic/chat/2", "ack:client"))
		c.hub.Publish(room(2), message(room(2), 5, "2-5"))
		c.out()
		c.send(frame("ACK", "id:1-1") + frame("ACK", "id:2-5") + frame("ACK", "id:1-2"))
		c.wantTold(`alice 1 {"seq":1}`, `alice 2 {"seq":5}`)
		c.relay.Settle(1)
		c.wantTold(`alice 1 {"seq":1}`, `alice 2 {"seq":5}`)
		c.relay.Settle(0)
		c.wantTold(`alice 1 {"seq":1}`, `alice 2 {"seq":5}`, `alice 1 {"seq":2}`)
	})
}

// A mark that could not be stored is told where a receipt was asked for, and the next ACK tries again.
func TestAckThatFails(t *testing.T) {
	t.Parallel()
	away := &event.Error{Code: event.Unavailable, Message: "away"}
	t.Run("with a receipt", func(t *testing.T) {
		t.Parallel()
		run(t, holdAnswers, func(c *client) {
			subscribed(c, "1.2", "client", 2)
			c.send(frame("SUBSCRIBE", "id:e", errorsTo))
			c.send(frame("ACK", "id:1-2", "receipt:r"))
			c.relay.SettleWith(0, nil, away)
			c.expect("MESSAGE subscription:e destination:/user/queue/errors message-id:S-1 event:ERROR | UNAVAILABLE,,r,")
			c.send(frame("ACK", "id:1-2", "receipt:r"))
			c.relay.Settle(1)
			c.expect("RECEIPT receipt-id:r")
		})
	})
	t.Run("without one", func(t *testing.T) {
		t.Parallel()
		run(t, holdAnswers, func(c *client) {
			subscribed(c, "1.2", "client-individual", 2)
			c.send(frame("ACK", "id:1-2") + frame("ACK", "id:1-1"))
			c.relay.SettleWith(0, nil, errors.New("broken"))
			c.expect()
			c.expectClose(0)
			c.wantTold(`alice 1 {"seq":2}`, `alice 1 {"seq":1}`)
		})
	})
}

func TestAckWithinATransaction(t *testing.T) {
	t.Parallel()
	ack := func(id, receipt string) string {
		return frame("ACK", "id:"+id, "transaction:t", "receipt:"+receipt)
	}
	t.Run("COMMIT", func(t *testing.T) {
		t.Parallel()
		run(t, holdAnswers, func(c *client) {
			subscribed(c, "1.2", "client", 3)
			c.send(frame("BEGIN", "transaction:t") + ack("1-3", "a") + within("t", "/app/chat/1/send", "x") + ack("1-2", "b"))
			c.expect("RECEIPT receipt-id:a", "RECEIPT receipt-id:b")
			if n := len(c.relay.Submitted()); n != 0 {
				t.Fatalf("%d submissions before COMMIT", n)
			}
			c.send(frame("COMMIT", "transaction:t", "receipt:c"))
			unit := c.relay.Submitted()
			if len(unit) != 1 || len(unit[0].Actions) != 2 || unit[0].Actions[0].Verb != action.Send {
				t.Fatalf("submitted %v, want one unit of the send and the mark", unit)
			}
			c.wantTold(`alice 1 {"seq":3}`)
			c.relay.Settle(0)
			c.expect("RECEIPT receipt-id:c message-id:1-1 seq:1 duplicate:false")
		})
	})
	t.Run("COMMIT of ACKs alone", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			subscribed(c, "1.2", "client", 3)
			c.send(frame("BEGIN", "transaction:t") + ack("1-1", "a") + frame("COMMIT", "transaction:t", "receipt:c"))
			c.expect("RECEIPT receipt-id:a", "RECEIPT receipt-id:c")
			c.wantTold(`alice 1 {"seq":1}`)
		})
	})
	t.Run("ABORT", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			subscribed(c, "1.2", "client", 3)
			c.send(frame("BEGIN", "transaction:t") + ack("1-3", "a") + frame("ABORT", "transaction:t", "receipt:c"))
			c.expect("RECEIPT receipt-id:a", "RECEIPT receipt-id:c")
			c.wantTold()
		})
	})
}

// What was taken takes effect, also when the client is gone before its turn comes.
func TestAcksOutliveTheSession(t *testing.T) {
	t.Parallel()
	run(t, holdAnswers, func(c *client) {
		subscribed(c, "1.2", "client", 2)
		c.send(frame("ACK", "id:1-1") + frame("ACK", "id:1-2") + frame("DISCONNECT", "receipt:d"))
		c.expect("RECEIPT receipt-id:d")
		<-c.done
		c.relay.Settle(0)
		c.wantTold(`alice 1 {"seq":1}`, `alice 1 {"seq":2}`)
	})
}
