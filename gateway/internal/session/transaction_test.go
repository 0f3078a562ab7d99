package session_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/transport"
)

func within(tx, destination, body string, more ...string) string {
	return frameWith(body, append([]string{"SEND", "destination:" + destination, "transaction:" + tx}, more...)...)
}

func TestTransactionIsStoredAsOneUnit(t *testing.T) {
	t.Parallel()
	run(t, holdAnswers, func(c *client) {
		c.connect("1.2")
		c.send(frame("BEGIN", "transaction:t", "receipt:b"))
		c.send(within("t", "/app/chat/1/send", "one", "receipt:s1") + within("t", "/app/chat/2/read", "") +
			within("t", "/app/chat/2/send", "two", "receipt:s2"))
		c.expect("RECEIPT receipt-id:b", "RECEIPT receipt-id:s1", "RECEIPT receipt-id:s2")
		if n := len(c.relay.Submitted()); n != 0 {
			t.Fatalf("%d submissions before COMMIT", n)
		}
		c.send(frame("COMMIT", "transaction:t", "receipt:c"))
		c.expect()
		unit := c.relay.Submitted()
		if len(unit) != 1 || len(unit[0].Actions) != 3 || string(unit[0].Actions[0].Body) != "one" ||
			unit[0].Actions[1].Verb != action.Read || string(unit[0].Actions[2].Body) != "two" {
			t.Fatalf("submitted %v, want one unit of three actions in order", unit)
		}
		c.relay.Settle(0)
		c.expect("RECEIPT receipt-id:c message-id:1-1,2-1 seq:1,1 duplicate:false,false")
	})
}

func TestTransactions(t *testing.T) {
	t.Parallel()
	begin := step{frame("BEGIN", "transaction:t"), nil}
	send := step{within("t", "/app/chat/1/send", "x"), nil}
	unknown := []string{"ERROR message:unknown transaction code:INVALID receipt-id:r"}
	missing := []string{"ERROR message:missing header code:INVALID receipt-id:r"}
	refused := func(number, destination, receipt string) []string {
		return []string{"MESSAGE subscription:e destination:/user/queue/errors message-id:S-" + number +
			" event:ERROR | INVALID," + destination + "," + receipt + ","}
	}
	protocol := transport.CloseProtocol
	tell(t, []story{
		{name: "an empty one", version: "1.2", steps: []step{
			begin, {frame("COMMIT", "transaction:t", "receipt:r"), []string{"RECEIPT receipt-id:r"}},
		}},
		{name: "ABORT discards", version: "1.2", steps: []step{
			begin, send,
			{frame("ABORT", "transaction:t", "receipt:r"), []string{"RECEIPT receipt-id:r"}},
			begin,
			{frame("COMMIT", "transaction:t", "receipt:r"), []string{"RECEIPT receipt-id:r"}},
		}},
		{name: "an id may be used again", version: "1.2", steps: []step{
			begin, send,
			{frame("COMMIT", "transaction:t"), nil},
			begin, send,
			{frame("COMMIT", "transaction:t", "receipt:r"), []string{
				"RECEIPT receipt-id:r message-id:1-2 seq:2 duplicate:false",
			}},
		}},
		{name: "two at once", version: "1.2", steps: []step{
			begin,
			{frame("BEGIN", "transaction:u"), nil},
			send,
			{within("u", "/app/chat/2/send", "y"), nil},
			{frame("COMMIT", "transaction:u", "receipt:r"), []string{
				"RECEIPT receipt-id:r message-id:2-1 seq:1 duplicate:false",
			}},
			{frame("COMMIT", "transaction:t", "receipt:r"), []string{
				"RECEIPT receipt-id:r message-id:1-1 seq:1 duplicate:false",
			}},
		}},
		{name: "BEGIN without id", version: "1.2", close: protocol, steps: []step{{
			frame("BEGIN", "receipt:r"), missing,
		}}},
		{name: "BEGIN twice", version: "1.2", close: protocol, steps: []step{begin, {
			frame("BEGIN", "transaction:t", "receipt:r"),
			[]string{"ERROR message:transaction exists code:INVALID receipt-id:r"},
		}}},
		{name: "COMMIT without id", version: "1.2", close: protocol, steps: []step{{
			frame("COMMIT", "receipt:r"), missing,
		}}},
		{name: "COMMIT of an unknown one", version: "1.2", close: protocol, steps: []step{{
			frame("COMMIT", "transaction:x", "receipt:r"), unknown,
		}}},
		{name: "COMMIT twice", version: "1.2", close: protocol, steps: []step{
			begin, {frame("COMMIT", "transaction:t"), nil}, {frame("COMMIT", "transaction:t", "receipt:r"), unknown},
		}},
		{name: "ABORT of an unknown one", version: "1.2", close: protocol, steps: []step{{
			frame("ABORT", "transaction:x", "receipt:r"), unknown,
		}}},
		{name: "SEND in an unknown one", version: "1.2", close: protocol, steps: []step{{
			within("x", "/app/chat/1/send", "", "receipt:r"), unknown,
		}}},
		{name: "ACK and NACK", version: "1.2", steps: []step{
			{frame("SUBSCRIBE", "id:s", topic1, "ack:client"), nil},
			begin,
			{frame("SUBSCRIBE", "id:e", errorsTo, "ack:client"), nil},
			{frame("SEND", "destination:/nowhere"), []string{"MESSAGE subscription:e ack:2-1..."}},
			{frame("ACK", "id:2-1", "transaction:t", "receipt:r"), []string{"RECEIPT receipt-id:r"}},
			{frame("NACK", "id:2-1", "transaction:t", "receipt:r"), []string{"RECEIPT receipt-id:r"}},
			{frame("COMMIT", "transaction:t", "receipt:r"), []string{"RECEIPT receipt-id:r"}},
		}},
		{name: "a refused frame spoils all of it", version: "1.2", steps: []step{
			{frame("SUBSCRIBE", "id:e", errorsTo), nil},
			begin, send,
			{within("t", "/nowhere", "", "receipt:s"), refused("1", "/nowhere", "s")},
			send,
			{frame("COMMIT", "transaction:t", "receipt:r"), refused("2", "", "r")},
			{frame("BEGIN", "transaction:t", "receipt:r"), []string{"RECEIPT receipt-id:r"}},
		}},
		{name: "status takes no part", version: "1.2", steps: []step{
			{frame("SUBSCRIBE", "id:e", errorsTo), nil},
			begin,
			{within("t", "/app/user/status", `{"status":"away"}`, "receipt:s"), refused("1", "/app/user/status", "s")},
		}},
	})
}

func TestRefusedCommitIsTheErrorOfOneMessage(t *testing.T) {
	t.Parallel()
	setup := func(c *client) {
		c.relay.Refuse = func(string, []action.Action) error {
			return &event.Error{Code: event.Forbidden, Message: "not a member", ClientMessageID: "c2"}
		}
	}
	run(t, setup, func(c *client) {
		c.connect("1.2")
		c.send(frame("SUBSCRIBE", "id:e", errorsTo) + frame("BEGIN", "transaction:t"))
		c.send(within("t", "/app/chat/1/send", "x") + frame("COMMIT", "transaction:t", "receipt:r"))
		c.expect("MESSAGE subscription:e destination:/user/queue/errors message-id:S-1 event:ERROR | FORBIDDEN,,r,c2")
		c.expectClose(0)
	})
}

func TestTransactionsAreLimited(t *testing.T) {
	t.Parallel()
	tooLarge := "ERROR message:transaction too large code:INVALID"
	t.Run("open", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			c.connect("1.2")
			for i := range 8 {
				c.send(frame("BEGIN", fmt.Sprint("transaction:", i)))
			}
			c.expect()
			c.send(frame("BEGIN", "transaction:8"))
			c.expect("ERROR message:too many transactions code:INVALID")
			c.expectClose(transport.ClosePolicy)
		})
	})
	t.Run("frames", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			c.connect("1.2")
			c.send(frame("BEGIN", "transaction:t") + strings.Repeat(within("t", "/app/chat/1/read", ""), 100))
			c.expect()
			c.send(within("t", "/app/chat/1/read", ""))
			c.expect(tooLarge)
			c.expectClose(transport.ClosePolicy)
		})
	})
	t.Run("bytes", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			c.connect("1.2")
			large := within("t", "/app/chat/1/send", strings.Repeat("x", 64<<10))
			c.send(frame("BEGIN", "transaction:t") + strings.Repeat(large, 4))
			c.expect()
			c.send(within("t", "/app/chat/1/send", "x"))
			c.expect(tooLarge)
			c.expectClose(transport.ClosePolicy)
		})
	})
}

func TestOpenTransactionsAreAbortedAtTheEnd(t *testing.T) {
	t.Parallel()
	run(t, nil, func(c *client) {
		c.connect("1.2")
		c.send(frame("BEGIN", "transaction:t") + within("t", "/app/chat/1/send", "x"))
		c.send(frame("DISCONNECT", "receipt:d"))
		c.expect("RECEIPT receipt-id:d")
		<-c.done
		if n := len(c.relay.Submitted()); n != 0 {
			t.Errorf("%d submissions of a transaction that was not committed", n)
		}
	})
}
