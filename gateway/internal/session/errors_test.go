package session_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/transport"
)

var errSecret = errors.New("dial tcp 10.0.0.7:5432: secret")

func TestUnknownErrorsAreHiddenAndLoggedOnce(t *testing.T) {
	t.Parallel()
	setup := func(c *client) {
		c.relay.Refuse = func(string, []action.Action) error { return errSecret }
	}
	run(t, setup, func(c *client) {
		c.connect("1.2")
		c.send(frameWith("{}", "SEND", "destination:/app/chat/1/send", "receipt:r"))
		messages := c.conn.Take()
		if len(messages) != 1 || !strings.Contains(string(messages[0]), "code:INTERNAL") ||
			strings.Contains(string(messages[0]), "secret") {
			t.Errorf("transport messages %q, want one ERROR with INTERNAL and without the cause", messages)
		}
		c.expectClose(transport.CloseInternal)
		if n := strings.Count(c.logs.String(), "secret"); n != 1 {
			t.Errorf("the cause is logged %d times, want once:\n%s", n, c.logs.String())
		}
	})
}

func TestPanicCostsOneSessionOnly(t *testing.T) {
	t.Parallel()
	setup := func(c *client) {
		c.relay.Refuse = func(string, []action.Action) error { panic("fault") }
	}
	run(t, setup, func(c *client) {
		c.connect("1.2")
		c.send(frameWith("{}", "SEND", "destination:/app/chat/1/send"))
		c.pass(c.cfg.Linger) // the relay has not said what became of the SEND
		c.expectClose(transport.CloseInternal)
		if !strings.Contains(c.logs.String(), "panic: fault") {
			t.Errorf("the panic is not logged:\n%s", c.logs.String())
		}
	})
}

func TestErrorFramesAreValidForTheReceiver(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ version, receipt, want string }{
		"1.2 escapes":          {"1.2", `a\nb\rc\cd`, "\nreceipt-id:a\\nb\\rc\\cd\n"},
		"1.1 escapes":          {"1.1", `a\nb\cd`, "\nreceipt-id:a\\nb\\cd\n"},
		"1.0 does not":         {"1.0", `a\nb`, "\nreceipt-id:a\\nb\n"},
		"1.0 may hold a colon": {"1.0", `a:b`, "\nreceipt-id:a:b\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				c.connect(test.version)
				c.send(frame("COMMIT", "transaction:none", "receipt:"+test.receipt))
				messages := c.conn.Take()
				if len(messages) != 1 || !strings.Contains(string(messages[0]), test.want) {
					t.Errorf("transport messages %q, want one with %q", messages, test.want)
				}
				c.expectClose(transport.CloseProtocol)
			})
		})
	}
}
