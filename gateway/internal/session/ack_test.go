package session_test

import (
	"fmt"
	"testing"

	"github.com/fliliy/chat/gateway/internal/transport"
)

// subscribed opens a subscription with an ack mode and delivers n messages on it.
func subscribed(c *client, version, mode string, n int) {
	c.connect(version)
	c.send(frame("SUBSCRIBE", "id:s", topic1, "ack:"+mode))
	for seq := range int64(n) {
		c.hub.Publish(room(1), message(room(1), seq+1, fmt.Sprint("1-", seq+1)))
	}
	c.out()
}

func TestAckHeaderOfMessages(t *testing.T) {
	t.Parallel()
	rest := `destination:/topic/chat/1 message-id:1-1 event:MESSAGE seq:1 | {"event":"MESSAGE"}`
	for name, test := range map[string]struct{ version, mode, want string }{
		"1.2 client":            {"1.2", "client", "MESSAGE subscription:s ack:1-1 " + rest},
		"1.2 client-individual": {"1.2", "client-individual", "MESSAGE subscription:s ack:1-1 " + rest},
		"1.2 auto":              {"1.2", "auto", "MESSAGE subscription:s " + rest},
		"1.1 client":            {"1.1", "client", "MESSAGE subscription:s " + rest},
		"1.0 client":            {"1.0", "client", "MESSAGE subscription:s " + rest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				subscribed(c, test.version, test.mode, 0)
				c.hub.Publish(room(1), message(room(1), 1, "1-1"))
				c.expect(test.want)
			})
		})
	}
}

func TestAck(t *testing.T) {
	t.Parallel()
	const ok = "RECEIPT receipt-id:r"
	unknownID := "ERROR message:unknown ack id code:INVALID receipt-id:r"
	unknownMessage := "ERROR message:unknown message-id code:INVALID receipt-id:r"
	missing := "ERROR message:missing header code:INVALID receipt-id:r"
	for name, test := range map[string]struct {
		version, mode string
		in            []string
		want          string
	}{
		"1.2 first":                       {"1.2", "client", []string{"ACK", "id:1-1"}, ok},
		"1.2 last":                        {"1.2", "client", []string{"ACK", "id:1-3"}, ok},
		"1.2 individual":                  {"1.2", "client-individual", []string{"ACK", "id:1-2"}, ok},
		"1.2 NACK":                        {"1.2", "client", []string{"NACK", "id:1-2"}, ok},
		"1.2 not delivered yet":           {"1.2", "client", []string{"ACK", "id:1-4"}, unknownID},
		"1.2 number 0":                    {"1.2", "client", []string{"ACK", "id:1-0"}, unknownID},
		"1.2 other subscription":          {"1.2", "client", []string{"ACK", "id:2-1"}, unknownID},
		"1.2 other spelling":              {"1.2", "client", []string{"ACK", "id:1-+1"}, unknownID},
		"1.2 nonsense":                    {"1.2", "client", []string{"ACK", "id:x"}, unknownID},
		"1.2 NACK of nonsense":            {"1.2", "client", []string{"NACK", "id:x"}, unknownID},
		"1.2 of an auto subscription":     {"1.2", "auto", []string{"ACK", "id:1-1"}, unknownID},
		"1.2 without id":                  {"1.2", "client", []string{"ACK", "message-id:1-1"}, missing},
		"1.1 first":                       {"1.1", "client", []string{"ACK", "subscription:s", "message-id:1-1"}, ok},
		"1.1 NACK":                        {"1.1", "client", []string{"NACK", "subscription:s", "message-id:1-3"}, ok},
		"1.1 unknown":                     {"1.1", "client", []string{"ACK", "subscription:s", "message-id:x"}, unknownMessage},
		"1.1 unknown subscription":        {"1.1", "client", []string{"ACK", "subscription:x", "message-id:1-1"}, unknownMessage},
		"1.1 of an auto subscription":     {"1.1", "auto", []string{"ACK", "subscription:s", "message-id:1-1"}, ok},
		"1.1 without subscription":        {"1.1", "client", []string{"ACK", "message-id:1-1"}, missing},
		"1.1 without message-id":          {"1.1", "client", []string{"ACK", "subscription:s"}, missing},
		"1.0 by message-id":               {"1.0", "client", []string{"ACK", "message-id:1-2"}, ok},
		"1.0 unknown":                     {"1.0", "client", []string{"ACK", "message-id:x"}, unknownMessage},
		"1.0 has no NACK":                 {"1.0", "client", []string{"NACK", "message-id:1-2"}, "ERROR message:unknown command..."},
		"1.2 within an unknown transacti": {"1.2", "client", []string{"ACK", "id:1-1", "transaction:x"}, "ERROR message:unknown transaction..."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				subscribed(c, test.version, test.mode, 3)
				c.send(frame(append(test.in, "receipt:r")...))
				c.expect(test.want)
				if test.want == ok {
					c.expectClose(0)
				} else {
					c.expectClose(transport.CloseProtocol)
				}
			})
		})
	}
}

func TestAckTwiceAndLateIsIgnored(t *testing.T) {
	t.Parallel()
	for version, ack := range map[string]string{
		"1.2": frame("ACK", "id:1-1", "receipt:r"),
		"1.1": frame("ACK", "subscription:s", "message-id:1-1", "receipt:r"),
		"1.0": frame("ACK", "message-id:1-1", "receipt:r"),
	} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				subscribed(c, version, "client", 1)
				c.send(ack + ack)
				c.expect("RECEIPT receipt-id:r", "RECEIPT receipt-id:r")
				c.send(frame("UNSUBSCRIBE", "id:s") + ack)
				c.expect("RECEIPT receipt-id:r")
				c.expectClose(0)
			})
		})
	}
}

func TestAckOfForgottenMessagesIsLetThrough(t *testing.T) {
	t.Parallel()
	run(t, nil, func(c *client) {
		subscribed(c, "1.1", "client", 300)
		c.send(frame("ACK", "subscription:s", "message-id:1-1", "receipt:old"))
		c.send(frame("ACK", "subscription:s", "message-id:1-300", "receipt:new"))
		c.expect("RECEIPT receipt-id:old", "RECEIPT receipt-id:new")
	})
}
