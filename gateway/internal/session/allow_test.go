package session_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/fake"
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

// door lets users in who have not guessed too often.
type door struct {
	allowance session.Allowance
	refused   *event.Error
	guesses   int    // that are still free
	entered   string // who was to be let in
}

func (d *door) Guesses() *event.Error {
	if d.guesses <= 0 {
		return slowDown
	}
	return nil
}

func (d *door) Guessed() { d.guesses-- }

func (d *door) Enter(user string) (session.Allowance, *event.Error) {
	d.entered = user
	return d.allowance, d.refused
}

var slowDown = &event.Error{Code: event.RateLimited, Message: "slow down", RetryAfter: 250 * time.Millisecond}

func (a *allowance) limit(c *client) {
	fresh := *a // for each session
	c.door = &door{allowance: &fresh, guesses: 1}
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
				c.door = &door{refused: slowDown, guesses: 1}
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
	var a *allowance
	limit := func(c *client) {
		if a != nil && a.left != 1 {
			t.Errorf("the allowance was given back %d times, want once", a.left)
		}
		a = &allowance{send: slowDown, patience: 9}
		c.door = &door{allowance: a, guesses: 1}
	}
	run(t, limit, func(c *client) {
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

// The door is asked about the user of the token, not about one that a header claims.
func TestDoorIsAskedAboutTheTokensUser(t *testing.T) {
	t.Parallel()
	d := &door{allowance: &allowance{}, guesses: 1}
	run(t, func(c *client) { c.door, c.user = d, "" }, func(c *client) {
		c.send(frame("CONNECT", "accept-version:1.2", "login:bob", "token:token-alice"))
		c.expect(welcome12)
	})
	if d.entered != "alice" {
		t.Errorf("asked to let %q in, want alice", d.entered)
	}
}

// RELIABILITY row 33: a bad token or ticket in CONNECT, or in a renewal, counts against the place it comes from; from
// one that has guessed too often nothing is verified any more, be it good.
func TestThreat33GuessesInFrames(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		user    string   // of the handshake
		frames  []string // before the last answer
		guesses int      // that are free
		want    string   // the last answer
		left    int      // guesses
	}{
		"a bad token":     {"", []string{frame("CONNECT", "accept-version:1.2", "token:x")}, 1, "ERROR message:UNAUTH...", 0},
		"an expired one":  {"", []string{frame("CONNECT", "accept-version:1.2", "token:late")}, 1, "ERROR message:TOKEN...", 0},
		"a bad ticket":    {"", []string{frame("CONNECT", "accept-version:1.2", "ticket:x")}, 1, "ERROR message:UNAUTH...", 0},
		"a good token":    {"", []string{frame("CONNECT", "accept-version:1.2", "token:token-alice")}, 1, welcome12, 1},
		"keys away":       {"", []string{frame("CONNECT", "accept-version:1.2", "token:away")}, 1, "ERROR message:UNAVAIL...", 1},
		"too many before": {"", []string{frame("CONNECT", "accept-version:1.2", "token:token-alice")}, 0, "ERROR message:RATE...", 0},
		"no token shown":  {"alice", []string{frame("CONNECT", "accept-version:1.2")}, 0, welcome12, 0},
		"a bad renewal":   {"alice", []string{frame("CONNECT", "accept-version:1.2"), renewal("x")}, 1, "ERROR message:UNAUTH...", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var d *door
			setup := func(c *client) {
				d = &door{allowance: &allowance{}, guesses: tc.guesses}
				c.door, c.user, c.tickets = d, tc.user, &fake.Tickets{}
				c.auth["late"] = fake.Identity{Err: &event.Error{Code: event.TokenExpired, Message: "late"}}
				c.auth["away"] = fake.Identity{Err: &event.Error{Code: event.Unavailable, Message: "away"}}
			}
			run(t, setup, func(c *client) {
				for i, text := range tc.frames {
					if i > 0 {
						c.expect(welcome12)
					}
					c.send(text)
				}
				c.expect(tc.want)
			})
			if d.guesses != tc.left {
				t.Errorf("%d guesses are left, want %d", d.guesses, tc.left)
			}
		})
	}
}
