package session_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/transport"
)

// Where a header is repeated the first one counts, so that what is checked is what is acted on (STOMP 1.2, "Repeated
// Header Entries").
func TestFirstOfRepeatedHeadersCounts(t *testing.T) {
	t.Parallel()
	subscribed := step{frame("SUBSCRIBE", "id:e", errorsTo), nil}
	refused := func(destination string) []string {
		return []string{"MESSAGE subscription:e destination:/user/queue/errors message-id:S-1 event:ERROR | INVALID," +
			destination + ",r,"}
	}
	ok := []string{"RECEIPT receipt-id:r"}
	tell(t, []story{
		{name: "receipt", version: "1.2", steps: []step{{
			frame("BEGIN", "transaction:t", "receipt:r", "receipt:s"), ok,
		}}},
		{name: "id of SUBSCRIBE and UNSUBSCRIBE", version: "1.2", close: transport.CloseProtocol, steps: []step{
			{frame("SUBSCRIBE", "id:1", "id:2", topic1, "receipt:r"), ok},
			{frame("UNSUBSCRIBE", "id:2", "id:1", "receipt:r"), ok},
			{frame("SUBSCRIBE", "id:1", topic1), []string{"ERROR message:subscription exists..."}},
		}},
		{name: "destination of SUBSCRIBE, bad first", version: "1.2", steps: []step{subscribed, {
			frame("SUBSCRIBE", "id:1", "destination:/user/bob/queue/messages", topic1, "receipt:r"),
			refused("/user/bob/queue/messages"),
		}}},
		{name: "destination of SUBSCRIBE, good first", version: "1.2", steps: []step{subscribed, {
			frame("SUBSCRIBE", "id:1", topic1, "destination:/user/bob/queue/messages", "receipt:r"), ok,
		}}},
		{name: "destination of SEND, bad first", version: "1.2", steps: []step{subscribed, {
			frame("SEND", topic1, toRoom1, "receipt:r"), refused("/topic/chat/1"),
		}}},
		{name: "transaction", version: "1.2", steps: []step{
			{frame("BEGIN", "transaction:t", "transaction:u"), nil},
			{frame("SEND", toRoom1, "transaction:t", "transaction:u", "receipt:r"), ok},
			{frame("ABORT", "transaction:t", "transaction:u", "receipt:r"), ok},
		}},
		{name: "content-length", version: "1.2", steps: []step{{
			frameWith("x", "SEND", toRoom1, "content-length:1", "content-length:0", "receipt:r"),
			[]string{"RECEIPT receipt-id:r message-id:1-1 seq:1 duplicate:false"},
		}}},
		{name: "ack", version: "1.2", close: transport.CloseProtocol, steps: []step{{
			frame("SUBSCRIBE", "id:1", topic1, "ack:never", "ack:auto"), []string{"ERROR message:bad ack mode..."},
		}}},
		{name: "heart-beat", close: transport.CloseProtocol, steps: []step{{
			frame("CONNECT", "accept-version:1.2", "heart-beat:x", "heart-beat:0,0"),
			[]string{"ERROR message:bad heart-beat..."},
		}}},
	})
	t.Run("last-seq", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			c.connect("1.2")
			c.send(frame("SUBSCRIBE", "id:1", topic1, "last-seq:5", "last-seq:0"))
			if got := c.hub.LastSeqs(); !slices.Equal(got, []int64{5}) {
				t.Errorf("the hub was asked for %d, want 5", got)
			}
		})
	})
}

// Every frame of a client but CONNECT is answered if it asks, in the order of the frames (STOMP 1.2, "RECEIPT").
func TestEveryFrameIsAnsweredInOrder(t *testing.T) {
	t.Parallel()
	run(t, nil, func(c *client) {
		c.send(frame("CONNECT", "accept-version:1.2", "receipt:0") +
			frame("SUBSCRIBE", "id:e", errorsTo, "ack:client", "receipt:1") +
			frame("SEND", "destination:/nowhere") + // the first MESSAGE, for ACK and NACK
			frame("ACK", "id:1-1", "receipt:2") + frame("NACK", "id:1-1", "receipt:3") +
			frame("BEGIN", "transaction:t", "receipt:4") +
			frame("SEND", "destination:/app/chat/1/read", "transaction:t", "receipt:5") +
			frame("COMMIT", "transaction:t", "receipt:6") +
			frame("BEGIN", "transaction:u", "receipt:7") + frame("ABORT", "transaction:u", "receipt:8") +
			frame("SEND", "destination:/app/chat/1/typing", "receipt:9") +
			frame("SEND", "destination:/app/user/status", "receipt:refused") +
			frame("UNSUBSCRIBE", "id:e", "receipt:10") +
			frame("DISCONNECT", "receipt:11"))
		var got []string
		for _, line := range c.out() {
			if number, isReceipt := strings.CutPrefix(line, "RECEIPT receipt-id:"); isReceipt {
				got = append(got, number)
			}
		}
		if want := strings.Fields("1 2 3 4 5 6 7 8 9 10 11"); !slices.Equal(got, want) {
			t.Errorf("RECEIPTs %v, want %v", got, want)
		}
		c.expectClose(transport.CloseNormal)
	})
}

// A frame that fails gets an ERROR with its receipt-id, and no RECEIPT.
func TestErrorsCarryTheReceiptID(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"SUBSCRIBE":           frame("SUBSCRIBE", "receipt:r"),
		"UNSUBSCRIBE":         frame("UNSUBSCRIBE", "receipt:r"),
		"SEND":                frame("SEND", "receipt:r"),
		"ACK":                 frame("ACK", "receipt:r"),
		"NACK":                frame("NACK", "id:9-9", "receipt:r"),
		"BEGIN":               frame("BEGIN", "receipt:r"),
		"COMMIT":              frame("COMMIT", "transaction:x", "receipt:r"),
		"ABORT":               frame("ABORT", "transaction:x", "receipt:r"),
		"CONNECT":             frame("CONNECT", "receipt:r"),
		"refused destination": frame("SEND", topic1, "receipt:r"),
		"wrong length":        frameWith("xy", "SEND", "receipt:r", "content-length:1"),
		"body too large":      frameWith(strings.Repeat("x", 70_000), "SEND", "receipt:r"),
		"unwanted body":       frameWith("x", "BEGIN", "receipt:r", "transaction:t"),
		"bad escape":          frame("BEGIN", "receipt:r", `transaction:\t`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				c.connect("1.2")
				c.send(in)
				out := c.out()
				if len(out) != 1 || !strings.HasPrefix(out[0], "ERROR ") || !strings.HasSuffix(out[0], " receipt-id:r") {
					t.Errorf("frames that came out: %q, want one ERROR with receipt-id:r", out)
				}
			})
		})
	}
}

// What was delivered before UNSUBSCRIBE comes before its RECEIPT, and nothing of the subscription comes after it, even
// from a hub that is in the middle of a delivery.
func TestNothingComesAfterTheUnsubscribeReceipt(t *testing.T) {
	t.Parallel()
	run(t, nil, func(c *client) {
		c.connect("1.2")
		c.send(frame("SUBSCRIBE", "id:1", topic1))
		sink := c.hub.Sinks(room(1))[0]
		c.conn.Stall()
		for seq := range int64(3) {
			c.hub.Publish(room(1), message(room(1), seq+1, "m"))
		}
		c.send(frame("UNSUBSCRIBE", "id:1", "receipt:r"))
		late := message(room(1), 4, "m")
		sink.Deliver(&late)
		sink.End(&event.Error{Code: event.Forbidden, Message: "late"})
		c.hub.Publish(room(1), message(room(1), 5, "m"))
		c.conn.Resume()
		c.expect("MESSAGE subscription:1...", "MESSAGE subscription:1...", "MESSAGE subscription:1...", "RECEIPT receipt-id:r")
	})
}

func TestTransactionHeaderElsewhere(t *testing.T) {
	t.Parallel()
	unknown := []string{"ERROR message:unknown transaction code:INVALID receipt-id:r"}
	var stories []story
	for _, version := range []string{"1.0", "1.1", "1.2"} {
		stories = append(stories,
			story{name: "UNSUBSCRIBE " + version, version: version, steps: []step{{
				frame("UNSUBSCRIBE", "id:1", "transaction:none", "receipt:r"), []string{"RECEIPT receipt-id:r"},
			}}},
			story{name: "DISCONNECT " + version, version: version, close: transport.CloseNormal, steps: []step{{
				frame("DISCONNECT", "transaction:none", "receipt:r"), []string{"RECEIPT receipt-id:r"},
			}}},
			story{name: "SEND " + version, version: version, close: transport.CloseProtocol, steps: []step{{
				frame("SEND", toRoom1, "transaction:none", "receipt:r"), unknown,
			}}},
			story{name: "SEND, empty name " + version, version: version, close: transport.CloseProtocol, steps: []step{{
				frame("SEND", toRoom1, "transaction:", "receipt:r"), unknown,
			}}},
		)
	}
	for _, command := range []string{"ACK", "NACK"} {
		stories = append(stories, story{
			name: command, version: "1.2", close: transport.CloseProtocol, steps: []step{
				{frame("SUBSCRIBE", "id:e", errorsTo, "ack:client"), nil},
				{frame("SEND", "destination:/nowhere"), []string{"MESSAGE subscription:e ack:1-1..."}},
				{frame(command, "id:1-1", "transaction:none", "receipt:r"), unknown},
			},
		})
	}
	tell(t, stories)
}

func TestTransactionsThatAreNotCommittedStoreNothing(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(c *client){
		"ABORT":                func(c *client) { c.send(frame("ABORT", "transaction:t", "receipt:a")) },
		"DISCONNECT":           func(c *client) { c.send(frame("DISCONNECT")) },
		"an ERROR":             func(c *client) { c.send(frame("NONSENSE")) },
		"a lost connection":    func(c *client) { c.conn.HangUp(transport.CloseGoingAway) },
		"a drain":              func(c *client) { c.drain() },
		"a frame spoilt it":    func(c *client) { c.send(within("t", "/nowhere", "") + frame("COMMIT", "transaction:t")) },
		"COMMIT of another":    func(c *client) { c.send(frame("BEGIN", "transaction:u") + frame("COMMIT", "transaction:u")) },
		"the client is silent": func(c *client) { c.pass(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				c.connect("1.2")
				c.send(frame("BEGIN", "transaction:t") + within("t", "/app/chat/1/send", "x") +
					within("t", "/app/chat/1/send", "y"))
				end(c)
				c.out()
				if n := len(c.relay.Submitted()); n != 0 {
					t.Errorf("%d submissions", n)
				}
			})
		})
	}
}

// NACK redelivers nothing, then or later.
func TestNackRedeliversNothing(t *testing.T) {
	t.Parallel()
	for version, nack := range map[string]string{
		"1.2": frame("NACK", "id:1-1", "receipt:r"),
		"1.1": frame("NACK", "subscription:s", "message-id:1-1", "receipt:r"),
	} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				subscribed(c, version, "client-individual", 2)
				c.send(nack)
				c.expect("RECEIPT receipt-id:r")
				c.pass(time.Hour)
				c.expect()
				c.expectClose(0)
			})
		})
	}
}

// Ack ids and message ids of one subscription do not serve another.
func TestAcksAreOfTheirSubscription(t *testing.T) {
	t.Parallel()
	two := func(c *client, version string) {
		c.connect(version)
		c.send(frame("SUBSCRIBE", "id:1", topic1, "ack:client") +
			frame("SUBSCRIBE", "id:2", "destination:/topic/chat/2", "ack:client"))
		c.hub.Publish(room(1), message(room(1), 1, "1-1"))
		c.out()
	}
	for name, tc := range map[string]struct {
		version string
		headers []string
		want    string
	}{
		"1.2 own":   {"1.2", []string{"id:1-1"}, "RECEIPT receipt-id:r"},
		"1.2 other": {"1.2", []string{"id:2-1"}, "ERROR message:unknown ack id code:INVALID receipt-id:r"},
		"1.1 own":   {"1.1", []string{"subscription:1", "message-id:1-1"}, "RECEIPT receipt-id:r"},
		"1.1 other": {"1.1", []string{"subscription:2", "message-id:1-1"}, "ERROR message:unknown message-id code:INVALID receipt-id:r"},
		"1.0 any":   {"1.0", []string{"message-id:1-1"}, "RECEIPT receipt-id:r"},
		"1.0 none":  {"1.0", []string{"message-id:1-2"}, "ERROR message:unknown message-id code:INVALID receipt-id:r"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				two(c, tc.version)
				c.send(frame(append([]string{"ACK", "receipt:r"}, tc.headers...)...))
				c.expect(tc.want)
			})
		})
	}
}
