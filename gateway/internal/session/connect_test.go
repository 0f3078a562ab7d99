package session_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/fake"
	"github.com/fliliy/chat/gateway/internal/transport"
)

const welcome12 = "CONNECTED version:1.2 heart-beat:10000,10000 session:S server:fliliy-chat/test user-name:alice"

func anonymous(c *client) { c.user = "" }

func TestConnect(t *testing.T) {
	t.Parallel()
	welcome := func(version string) []string { return []string{strings.Replace(welcome12, "1.2", version, 1)} }
	tell(t, []story{
		{name: "CONNECT opens a session", steps: []step{{frame("CONNECT", "accept-version:1.2"), welcome("1.2")}}},
		{name: "STOMP opens a session", steps: []step{{frame("STOMP", "accept-version:1.2"), welcome("1.2")}}},
		{name: "without accept-version it is 1.0", steps: []step{{frame("CONNECT"), welcome("1.0")}}},
		{name: "highest common version, any order", steps: []step{{
			frame("CONNECT", "accept-version:1.0,1.2, 1.1,3.0"), welcome("1.2"),
		}}},
		{name: "1.1 when 1.2 is not accepted", steps: []step{{
			frame("CONNECT", "accept-version:1.1,1.0"), welcome("1.1"),
		}}},
		{
			name: "no common version", close: transport.CloseProtocol,
			steps: []step{{
				frame("CONNECT", "accept-version:2.0"),
				[]string{"ERROR message:no common version code:INVALID version:1.0,1.1,1.2"},
			}},
		},
		{name: "end-of-lines before CONNECT are ignored", steps: []step{{
			"\n\r\n\n" + frame("CONNECT", "accept-version:1.2"), welcome("1.2"),
		}}},
		{name: "CONNECT in many chunks", steps: []step{
			{"CO", nil}, {"NNECT\naccept-ver", nil}, {"sion:1.2\n\n", nil}, {"^@", welcome("1.2")},
		}},
		{name: "frames behind CONNECT in one chunk", steps: []step{{
			frame("CONNECT", "accept-version:1.2") + frame("BEGIN", "transaction:t", "receipt:r"),
			append(welcome("1.2"), "RECEIPT receipt-id:r"),
		}}},
		{name: "CONNECT gets no RECEIPT", steps: []step{{
			frame("CONNECT", "accept-version:1.2", "receipt:r"), welcome("1.2"),
		}}},
		{
			name: "first frame is another", close: transport.CloseProtocol,
			steps: []step{{
				frame("SEND", "destination:/app/chat/1/send", "receipt:r"),
				[]string{"ERROR message:not connected code:UNAUTHENTICATED receipt-id:r"},
			}},
		},
		{
			name: "second CONNECT", version: "1.2", close: transport.CloseProtocol,
			steps: []step{{
				frame("CONNECT", "accept-version:1.2"), []string{"ERROR message:already connected code:INVALID"},
			}},
		},
		{
			name: "unknown command", version: "1.2", close: transport.CloseProtocol,
			steps: []step{{frame("HELLO"), []string{"ERROR message:unknown command code:INVALID"}}},
		},
		{
			name: "commands are case-sensitive", version: "1.2", close: transport.CloseProtocol,
			steps: []step{{frame("send", "destination:/app/chat/1/send"), []string{"ERROR message:unknown command..."}}},
		},
		{
			name: "command of a server", version: "1.2", close: transport.CloseProtocol,
			steps: []step{{
				frame("RECEIPT", "receipt-id:1"), []string{"ERROR message:unknown command code:INVALID"},
			}},
		},
		{
			name: "first of repeated headers wins", setup: anonymous,
			steps: []step{{
				frame("CONNECT", "accept-version:1.2", "token:token-alice", "accept-version:1.0", "token:token-bob"),
				welcome("1.2"),
			}},
		},
	})
}

func TestConnectFailuresOfTheCodec(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		in    string
		close transport.CloseCode
	}{
		"header without colon":       {"SEND\ndestination\n\n^@", transport.CloseProtocol},
		"empty header name":          {"SEND\n:x\n\n^@", transport.CloseProtocol},
		"bad escape":                 {"SEND\nx:a\\tb\n\n^@", transport.CloseProtocol},
		"body longer than declared":  {"SEND\ncontent-length:1\n\nab^@", transport.CloseProtocol},
		"negative content-length":    {"SEND\ncontent-length:-1\n\n^@", transport.CloseProtocol},
		"enormous content-length":    {"SEND\ncontent-length:2147483648\n\n", transport.CloseTooLarge},
		"body beyond the limit":      {frameWith(strings.Repeat("x", 64<<10+1), "SEND"), transport.CloseTooLarge},
		"too many headers":           {"SEND\n" + strings.Repeat("a:b\n", 101) + "\n^@", transport.CloseTooLarge},
		"header line beyond 8 KiB":   {"SEND\na:" + strings.Repeat("x", 8<<10) + "\n\n^@", transport.CloseTooLarge},
		"body on a frame without it": {frameWith("x", "BEGIN", "transaction:t"), transport.CloseProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				c.connect("1.2")
				c.send(test.in)
				c.expect("ERROR message:...")
				c.expectClose(test.close)
			})
		})
	}
}

func TestConnectToken(t *testing.T) {
	t.Parallel()
	accepted := []string{welcome12}
	refused := []string{"ERROR message:UNAUTHENTICATED code:UNAUTHENTICATED"}
	for name, test := range map[string]struct {
		user    string
		headers []string
		want    []string
	}{
		"Authorization with Bearer":         {"", []string{"Authorization:Bearer token-alice"}, accepted},
		"Authorization with bearer":         {"", []string{"Authorization:bearer  token-alice"}, accepted},
		"Authorization alone":               {"", []string{"Authorization:token-alice"}, accepted},
		"X-Authorization":                   {"", []string{"X-Authorization:Bearer token-alice"}, accepted},
		"token":                             {"", []string{"token:token-alice"}, accepted},
		"passcode":                          {"", []string{"login:x", "passcode:token-alice"}, accepted},
		"an empty header is none":           {"", []string{"Authorization:", "token:token-alice"}, accepted},
		"handshake only":                    {"alice", nil, accepted},
		"handshake and the same user":       {"alice", []string{"token:token-alice"}, accepted},
		"handshake and a guest passcode":    {"alice", []string{"login:guest", "passcode:guest"}, accepted},
		"handshake and another user":        {"alice", []string{"token:token-bob"}, refused},
		"handshake and a bad token":         {"alice", []string{"token:nonsense"}, refused},
		"handshake and a bad JWT passcode":  {"alice", []string{"passcode:a.b.c"}, refused},
		"no token":                          {"", nil, refused},
		"a bad token":                       {"", []string{"token:nonsense"}, refused},
		"the first header counts, if bad":   {"", []string{"token:token-alice", "Authorization:nonsense"}, refused},
		"a token that names no valid user":  {"", []string{"token:token-odd"}, refused},
		"a token that has expired meanwile": {"", []string{"token:token-late"}, []string{"ERROR message:TOKEN_EXPIRED..."}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			setup := func(c *client) {
				c.user = test.user
				c.auth["token-odd"] = fake.Identity{User: "a\nb"}
				c.auth["token-late"] = fake.Identity{User: "alice", Expires: time.Now()}
			}
			run(t, setup, func(c *client) {
				c.send(frame(append([]string{"CONNECT", "accept-version:1.2"}, test.headers...)...))
				c.expect(test.want...)
				if test.want[0] == welcome12 {
					c.expectClose(0)
				} else {
					c.expectClose(transport.ClosePolicy)
				}
			})
		})
	}
}

// A ticket in CONNECT is used up, whatever comes of it, and its session ends with the ticket's token.
func TestConnectTicket(t *testing.T) {
	t.Parallel()
	refused := "ERROR message:UNAUTHENTICATED code:UNAUTHENTICATED"
	for name, tc := range map[string]struct {
		user    string // of the handshake
		headers []string
		want    string
		spent   bool
	}{
		"alone":                         {"", []string{"ticket:t"}, welcome12, true},
		"before any token":              {"", []string{"token:nonsense", "ticket:t"}, welcome12, true},
		"handshake and the same user":   {"alice", []string{"ticket:t"}, welcome12, true},
		"handshake and another user":    {"bob", []string{"ticket:t"}, refused, true},
		"an unknown one":                {"", []string{"ticket:other"}, refused, false},
		"an unknown one beside a token": {"", []string{"ticket:other", "token:token-alice"}, refused, false},
		"an empty header is none":       {"", []string{"ticket:", "token:token-alice"}, welcome12, false},
		"as a token":                    {"", []string{"token:t"}, refused, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tickets := &fake.Tickets{}
			setup := func(c *client) {
				c.user, c.tickets = tc.user, tickets
				tickets.Add("t", fake.Identity{User: "alice", Expires: time.Now().Add(time.Minute)})
			}
			run(t, setup, func(c *client) {
				c.send(frame(append([]string{"CONNECT", "accept-version:1.2"}, tc.headers...)...))
				c.expect(tc.want)
				if tc.spent && tc.want == welcome12 {
					c.pass(time.Minute)
					c.expectClose(transport.ClosePolicy)
				}
			})
			if _, err := tickets.Redeem(t.Context(), "t"); (err != nil) != tc.spent {
				t.Errorf("a second use: %v, want the ticket spent: %t", err, tc.spent)
			}
		})
	}
}

func TestConnectWhenTheAuthenticatorFails(t *testing.T) {
	t.Parallel()
	setup := func(err error) func(c *client) {
		return func(c *client) {
			c.user = ""
			c.auth["token"] = fake.Identity{Err: err}
		}
	}
	connect := step{frame("CONNECT", "accept-version:1.2", "token:token"), nil}
	tell(t, []story{
		{
			name: "its refusal is shown", setup: setup(&event.Error{Code: event.Unavailable, Message: "keys away"}),
			steps: []step{{connect.in, []string{"ERROR message:UNAVAILABLE code:UNAVAILABLE"}}},
			close: transport.CloseTryLater,
		},
		{
			name: "another error is hidden", setup: setup(errSecret),
			steps: []step{{connect.in, []string{"ERROR message:INTERNAL code:INTERNAL"}}},
			close: transport.CloseInternal,
		},
	})
}

func TestConnectedIsNeverEscaped(t *testing.T) {
	t.Parallel()
	setup := func(c *client) { c.user = `a:b\c` }
	run(t, setup, func(c *client) {
		c.send(frame("CONNECT", "accept-version:1.2"))
		messages := c.conn.Take()
		if len(messages) != 1 || !strings.Contains(string(messages[0]), "\nuser-name:a:b\\c\n") {
			t.Errorf("transport messages %q, want one with user-name:a:b\\c as it is", messages)
		}
	})
}

func TestConnectHeadersAreNeverUnescaped(t *testing.T) {
	t.Parallel()
	setup := func(c *client) {
		c.user = ""
		c.auth[`a\nb`] = fake.Identity{User: "alice"}
	}
	run(t, setup, func(c *client) {
		c.send(frame("CONNECT", "accept-version:1.2", `passcode:a\nb`))
		c.expect(welcome12)
	})
}

func TestSessionIDsDifferAndAreLong(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for range 5 { // twice each
		run(t, nil, func(c *client) {
			c.send(frame("CONNECT", "accept-version:1.2"))
			_, rest, _ := strings.Cut(string(c.conn.Take()[0]), "\nsession:")
			id, _, _ := strings.Cut(rest, "\n")
			if len(id) < 26 { // 128 bits in base32
				t.Errorf("session id %q is short", id)
			}
			seen[id] = true
		})
	}
	if len(seen) != 10 {
		t.Errorf("10 sessions had %d ids", len(seen))
	}
}

func TestThreat10BytesBeforeConnect(t *testing.T) {
	t.Parallel()
	tooLarge := "ERROR message:too large code:TOO_LARGE"
	big := strings.Repeat("x", 2000)
	tell(t, []story{
		{
			name: "one large chunk", close: transport.CloseTooLarge,
			steps: []step{{"CONNECT\na:" + strings.Repeat("x", 9<<10), []string{"ERROR message:..."}}},
		},
		{
			name: "many chunks", close: transport.CloseTooLarge,
			steps: []step{
				{"CONNECT\na:" + big + "\n", nil},
				{"b:" + big + "\n", nil},
				{"c:" + big + "\n", nil},
				{"d:" + big + "\n", nil},
				{"e:" + big + "\n", []string{tooLarge}},
			},
		},
		{
			name: "nothing but end-of-lines", close: transport.CloseTooLarge,
			steps: []step{{strings.Repeat("\n", 8<<10), nil}, {"\n", []string{tooLarge}}},
		},
		{
			name: "a CONNECT that announces a body", close: transport.CloseProtocol,
			steps: []step{{"CONNECT\ncontent-length:1000000000\n\n", []string{"ERROR message:..."}}},
		},
		{
			name: "frames behind CONNECT do not count",
			steps: []step{{
				frame("CONNECT", "accept-version:1.2") +
					frameWith(strings.Repeat("x", 20<<10), "SEND", "destination:/app/chat/1/send", "receipt:r"),
				[]string{welcome12, "RECEIPT receipt-id:r message-id:1-1 seq:1 duplicate:false"},
			}},
		},
	})
}

func TestThreat23ConnectHasToComeInTime(t *testing.T) {
	t.Parallel()
	t.Run("silence", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			c.pass(10*time.Second - 1)
			c.expectClose(0)
			c.pass(1)
			c.expect("ERROR message:no CONNECT code:UNAUTHENTICATED")
			c.expectClose(transport.ClosePolicy)
		})
	})
	t.Run("dribbling does not extend it", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			c.send("CONNECT\n")
			for range 9 {
				c.pass(time.Second)
				c.send("a:b\n")
			}
			c.expectClose(0)
			c.pass(time.Second)
			c.expectClose(transport.ClosePolicy)
		})
	})
	t.Run("a connected session is left alone", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			c.connect("1.2")
			c.pass(time.Hour)
			c.expectClose(0)
		})
	})
}

func TestPresenceHearsOfSessionsThatConnected(t *testing.T) {
	t.Parallel()
	t.Run("connected", func(t *testing.T) {
		t.Parallel()
		run(t, nil, func(c *client) {
			c.connect("1.2")
			c.send(frame("DISCONNECT"))
			<-c.done
			if got := strings.Join(c.presence.Calls(), ";"); got != "connect alice;disconnect alice" {
				t.Errorf("presence was told %s", got)
			}
		})
	})
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		run(t, anonymous, func(c *client) {
			c.send(frame("CONNECT", "token:nonsense"))
			<-c.done
			if got := c.presence.Calls(); len(got) != 0 {
				t.Errorf("presence was told %q of a session that never connected", got)
			}
		})
	})
}
