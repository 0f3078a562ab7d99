package session_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/session"
)

// allowance is scripted: what is nil passes.
type allowance struct {
	send, subscribe *event.Error
	patience        int // refusals until the session is abusive
	left            int
}

func (a *allowance) Send() *event.Error      { return a.send }
func (a *allowance) Subscribe() *event.Error { return a.subscribe }
func (a *allowance) Abusive() bool           { a.patience--; return a.patience < 0 }
func (a *allowance) Leave()                  { a.left++ }

var slowDown = &event.Error{Code: event.RateLimited, Message: "slow down", RetryAfter: 250 * time.Millisecond}

func (a *allowance) limit(c *client) {
	c.enter = func(user string) (session.Allowance, *event.Error) { return a, nil }
}

// RELIABILITY row 32: what is too much is refused, message by message, and the session stays; until it is plain abuse.
func TestThreat32Refusals(t *testing.T) {
	t.Parallel()
	const errorsQueue = "SUBSCRIBE\nid:e\ndestination:/user/queue/errors\n\n^@"
	refused := func(n, rest string) string {
		return "MESSAGE subscription:e destination:/user/queue/errors message-id:S-" + n + " event:ERROR | RATE_LIMITED," + rest
	}
	send := frameWith(`{"clientMessageId":"c"}`, "SEND", "destination:/app/chat/42/send", "receipt:r")
	tell(t, []story{
		{
			name: "SEND", version: "1.2", setup: (&allowance{send: slowDown, patience: 2}).limit, steps: []step{
				{errorsQueue, nil},
				{send, []string{refused("1", "/app/chat/42/send,r,c")}},
				{send, []string{refused("2", "/app/chat/42/send,r,c")}},
				{send, []string{"ERROR message:RATE_LIMITED code:RATE_LIMITED"}},
			}, close: 1008,
		},
		{
			name: "SUBSCRIBE", version: "1.2", setup: (&allowance{subscribe: slowDown, patience: 1}).limit, steps: []step{
				{errorsQueue, []string{"ERROR message:RATE_LIMITED code:RATE_LIMITED"}},
			}, close: 1008,
		},
		{
			name: "SEND within a transaction", version: "1.2", setup: (&allowance{send: slowDown, patience: 1}).limit, steps: []step{
				{errorsQueue, nil},
				{frame("BEGIN", "transaction:t"), nil},
				{
					frameWith(`{"clientMessageId":"c"}`, "SEND", "destination:/app/chat/42/send", "transaction:t", "receipt:r"),
					[]string{refused("1", "/app/chat/42/send,r,c")},
				},
				{frame("COMMIT", "transaction:t", "receipt:c"), []string{
					"MESSAGE subscription:e destination:/user/queue/errors message-id:S-2 event:ERROR | INVALID,,c,",
				}},
			},
		},
		{
			name: "within its limits", version: "1.2", setup: (&allowance{}).limit, steps: []step{
				{errorsQueue, nil},
				{frameWith("{}", "SEND", "destination:/app/user/status", "receipt:r"), []string{refusedStatus}},
			},
		},
		{
			name: "CONNECT", setup: func(c *client) {
				c.enter = func(user string) (session.Allowance, *event.Error) {
					if user != "alice" {
						c.t.Errorf("asked to let %q in", user)
					}
					return nil, slowDown
				}
			}, steps: []step{
				{frame("CONNECT", "accept-version:1.2"), []string{"ERROR message:RATE_LIMITED code:RATE_LIMITED"}},
			}, close: 1008,
		},
	})
}

const refusedStatus = "MESSAGE subscription:e destination:/user/queue/errors message-id:S-1 event:ERROR | " +
	"INVALID,/app/user/status,r,"

// The time to wait reaches the client, and the allowance is given back, once.
func TestRetryAfterAndLeave(t *testing.T) {
	t.Parallel()
	a := &allowance{send: slowDown, patience: 9}
	run(t, a.limit, func(c *client) {
		c.connect("1.2")
		c.send("SUBSCRIBE\nid:e\ndestination:/user/queue/errors\n\n^@")
		c.send(frameWith("{}", "SEND", "destination:/app/chat/42/send"))
		if got := string(c.conn.Take()[0]); !strings.Contains(got, `"retryAfterMs":250`) {
			t.Errorf("the refusal is %q, want retryAfterMs 250", got)
		}
	})
	if a.left != 1 {
		t.Errorf("the allowance was given back %d times, want once", a.left)
	}
}
