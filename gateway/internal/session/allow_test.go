package session_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/fake"
	"github.com/fliliy/chat/gateway/internal/session"
)

// allowance is scripted: what is nil passes.
type allowance struct {
	send, subscribe *event.Error
	patience        int // refusals until the session is abusive
	left            int

	busy map[int64]time.Duration // rooms that have to wait
	mu   sync.Mutex
	told []string // what was said of rooms
}

func (a *allowance) Room(room int64) time.Duration {
	if a.busy[room] == 0 {
		a.note("took of %d", room)
	}
	return a.busy[room]
}

func (a *allowance) RoomBack(room int64) { a.note("%d back", room) }
func (a *allowance) RoomRefused()        { a.note("refused") }

func (a *allowance) note(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.told = append(a.told, fmt.Sprintf(format, args...))
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
	fresh := &allowance{send: a.send, subscribe: a.subscribe, patience: a.patience} // for each session
	c.door = &door{allowance: fresh, guesses: 1}
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

// RELIABILITY row 32: what becomes a message takes of its room's rate. A room that has to wait is for the chat service to
// refuse, which knows who is in it; it is no abuse of the sender's. What was not stored is given back.
func TestThreat32RoomRate(t *testing.T) {
	t.Parallel()
	const wait = 250 * time.Millisecond
	busy := &event.Error{Code: event.RateLimited, Message: "busy", RetryAfter: wait}
	to := func(room int, verb string) string {
		return frameWith(`{"seq":1}`, "SEND", fmt.Sprintf("destination:/app/chat/%d/%s", room, verb))
	}
	for name, tc := range map[string]struct {
		frames  []string
		held    []time.Duration // of the actions that are handed over
		stored  []action.Stored
		refused error
		told    []string
	}{
		"a message":     {[]string{to(42, "send")}, []time.Duration{0}, []action.Stored{{Seq: 7}}, nil, []string{"took of 42"}},
		"an edit":       {[]string{to(42, "edit")}, []time.Duration{0}, []action.Stored{{Seq: 7}}, nil, []string{"took of 42"}},
		"a recall":      {[]string{to(42, "recall")}, []time.Duration{0}, []action.Stored{{Seq: 7}}, nil, []string{"took of 42"}},
		"a read mark":   {[]string{to(7, "read")}, []time.Duration{0}, []action.Stored{{}}, nil, nil},
		"that she type": {[]string{to(7, "typing")}, []time.Duration{0}, []action.Stored{{}}, nil, nil},
		"a repeat": {
			[]string{to(42, "send")},
			[]time.Duration{0},
			[]action.Stored{{Seq: 7, Duplicate: true}},
			nil,
			[]string{"took of 42", "42 back"},
		},
		"a stranger's": {
			[]string{to(42, "send")},
			[]time.Duration{0},
			nil, &event.Error{Code: event.Forbidden, Message: "no"},
			[]string{"took of 42", "42 back"},
		},
		"a busy room":               {[]string{to(7, "send")}, []time.Duration{wait}, nil, busy, []string{"refused"}},
		"a busy room, a repeat":     {[]string{to(7, "send")}, []time.Duration{wait}, []action.Stored{{Duplicate: true}}, nil, nil},
		"a busy room, a stranger's": {[]string{to(7, "send")}, []time.Duration{wait}, nil, &event.Error{Code: event.Forbidden}, nil},
		"a transaction": {
			[]string{
				frame("BEGIN", "transaction:t"), frameWith("a", "SEND", "destination:/app/chat/42/send", "transaction:t"),
				frameWith("b", "SEND", "destination:/app/chat/7/send", "transaction:t"), frame("COMMIT", "transaction:t"),
			},
			[]time.Duration{0, wait},
			nil, busy,
			[]string{"took of 42", "42 back", "refused"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var a *allowance
			setup := func(c *client) {
				a = &allowance{patience: 0, busy: map[int64]time.Duration{7: wait}}
				c.door = &door{allowance: a, guesses: 1}
			}
			run(t, setup, func(c *client) {
				c.relay.Hold = true
				c.connect("1.2")
				c.send("SUBSCRIBE\nid:e\ndestination:/user/queue/errors\n\n^@")
				for _, text := range tc.frames {
					c.send(text)
				}
				var held []time.Duration
				for _, act := range c.relay.Submitted()[0].Actions {
					held = append(held, act.HoldOff)
				}
				if !slices.Equal(held, tc.held) {
					t.Errorf("handed over with %v, want %v", held, tc.held)
				}
				c.relay.SettleWith(0, tc.stored, tc.refused)
				c.send(to(42, "typing")) // the session lives
				if got := len(c.relay.Submitted()); got != 2 {
					t.Errorf("%d actions were handed over, want 2", got)
				}
				if !slices.Equal(a.told, tc.told) {
					t.Errorf("said %q, want %q", a.told, tc.told)
				}
			})
		})
	}
}
