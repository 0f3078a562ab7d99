package session_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/session"
	"github.com/fliliy/chat/gateway/internal/stomp"
	"github.com/fliliy/chat/gateway/internal/transport"
)

// The files checklist_*_test.go hold what the protocol's checklist (PROTOCOL.md) asks for beside the other tests.

// bytes returns what came out, as it is on the wire.
func (c *client) bytes() string {
	var out strings.Builder
	for _, message := range c.conn.Take() {
		out.Write(message)
	}
	return out.String()
}

func TestConnectAndStompInEveryVersion(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"CONNECT", "STOMP"} {
		for _, version := range []string{"1.0", "1.1", "1.2"} {
			for _, second := range []string{"CONNECT", "STOMP"} {
				t.Run(command+" "+version+" then "+second, func(t *testing.T) {
					t.Parallel()
					run(t, nil, func(c *client) {
						c.send(frame(command, "accept-version:"+version))
						c.expect(strings.Replace(welcome12, "1.2", version, 1))
						c.send(frame(second, "accept-version:"+version, "receipt:r"))
						c.expect("ERROR message:already connected code:INVALID receipt-id:r")
						c.expectClose(transport.CloseProtocol)
					})
				})
			}
		}
	}
}

func TestNoFrameComesBeforeConnect(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]string{
		"SEND": "not connected", "SUBSCRIBE": "not connected", "UNSUBSCRIBE": "not connected", "ACK": "not connected",
		"NACK": "not connected", "BEGIN": "not connected", "COMMIT": "not connected", "ABORT": "not connected",
		"DISCONNECT": "not connected", "MESSAGE": "unknown command", "RECEIPT": "unknown command",
		"ERROR": "unknown command", "CONNECTED": "unknown command", "connect": "unknown command",
		"GET / HTTP/1.1": "unknown command",
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				c.send(frame(command, "id:1", "destination:/topic/chat/1", "transaction:t", "message-id:1"))
				c.expect("ERROR message:" + want + "...")
				c.expectClose(transport.CloseProtocol)
				if n := len(c.hub.LastSeqs()) + len(c.relay.Submitted()) + len(c.presence.Calls()); n != 0 {
					t.Errorf("%d calls for a stranger", n)
				}
			})
		})
	}
}

func TestNoCommonVersionSaysWhatIsSpoken(t *testing.T) {
	t.Parallel()
	for _, offer := range []string{"2.0", "", "1", "9.9,8.8"} {
		t.Run("offer "+offer, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				c.send(frame("CONNECT", "accept-version:"+offer))
				const want = "ERROR\nmessage:no common version\ncode:INVALID\nversion:1.0,1.1,1.2\ncontent-type:text/plain\n" +
					"content-length:43\n\nsupported protocol versions are 1.0,1.1,1.2\x00"
				if got := c.bytes(); got != want {
					t.Errorf("got %q\nwant %q", got, want)
				}
				c.expectClose(transport.CloseProtocol)
			})
		})
	}
}

// The version that CONNECT settles decides how the frames behind it are read.
func TestFramesAreReadByTheVersion(t *testing.T) {
	t.Parallel()
	begin := func(value string) string { return frame("BEGIN", "transaction:"+value, "receipt:r") }
	ok, bad := []string{"RECEIPT receipt-id:r"}, []string{"ERROR message:bad escape..."}
	tell(t, []story{
		{name: "1.2 CR", version: "1.2", steps: []step{{begin(`a\rb`), ok}}},
		{name: "1.1 CR", version: "1.1", steps: []step{{begin(`a\rb`), bad}}, close: transport.CloseProtocol},
		{name: "1.0 CR", version: "1.0", steps: []step{{begin(`a\rb`), ok}}},
		{name: "1.2 undefined", version: "1.2", steps: []step{{begin(`a\tb`), bad}}, close: transport.CloseProtocol},
		{name: "1.1 undefined", version: "1.1", steps: []step{{begin(`a\tb`), bad}}, close: transport.CloseProtocol},
		{name: "1.0 undefined", version: "1.0", steps: []step{{begin(`a\tb`), ok}}},
		{name: "1.2 lone backslash", version: "1.2", steps: []step{{begin(`a\`), bad}}, close: transport.CloseProtocol},
		{name: "1.1 lone backslash", version: "1.1", steps: []step{{begin(`a\`), bad}}, close: transport.CloseProtocol},
		{name: "1.0 lone backslash", version: "1.0", steps: []step{{begin(`a\`), ok}}},
		{name: "1.2 CRLF", version: "1.2", steps: []step{{"BEGIN\r\ntransaction:t\r\nreceipt:r\r\n\r\n^@\r\n", ok}}},
		{name: "1.1 CRLF", version: "1.1", close: transport.CloseProtocol, steps: []step{{
			"BEGIN\r\ntransaction:t\r\nreceipt:r\r\n\r\n^@", []string{"ERROR message:unknown command..."},
		}}},
		{name: "1.2 bare CR", version: "1.2", close: transport.CloseProtocol, steps: []step{{
			begin("a\rb"), []string{"ERROR message:bare CR..."},
		}}},
		{name: "1.0 body where none may be", version: "1.0", steps: []step{{
			frameWith("x", "BEGIN", "transaction:t", "receipt:r"), ok,
		}}},
		{name: "1.1 body where none may be", version: "1.1", close: transport.CloseProtocol, steps: []step{{
			frameWith("x", "BEGIN", "transaction:t", "receipt:r"), []string{"ERROR message:unexpected body code:INVALID receipt-id:r"},
		}}},
	})
}

// Frames are written as the receiver's version reads them, and what it cannot carry is left out, never injected.
func TestFramesAreWrittenByTheVersion(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, version, in, out string }{
		{"1.2 escapes all", "1.2", `a\rb\nc\cd\\e`, `a\rb\nc\cd\\e`},
		{"1.1 escapes all but CR", "1.1", `b\nc\cd\\e`, `b\nc\cd\\e`},
		{"1.1 raw CR is left out", "1.1", "a\rb", "ab"},
		{"1.0 escapes nothing", "1.0", `b\nc:d\e`, `b\nc:d\e`},
		{"1.0 raw CR is left out", "1.0", "a\rb", "ab"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(c *client) {
				c.connect(tc.version)
				c.send(frame("SUBSCRIBE", "id:"+tc.in, topic1, "receipt:"+tc.in))
				if got, want := c.bytes(), "RECEIPT\nreceipt-id:"+tc.out+"\nseq:0\n\n\x00"; got != want {
					t.Errorf("RECEIPT %q, want %q", got, want)
				}
				c.hub.Publish(room(1), message(room(1), 7, "1-7"))
				c.pass(0)
				if got, want := c.bytes(), "MESSAGE\nsubscription:"+tc.out+"\n"; !strings.HasPrefix(got, want) {
					t.Errorf("MESSAGE %q, want it to begin with %q", got, want)
				}
				c.send(frame("SUBSCRIBE", "id:"+tc.in, topic1, "receipt:"+tc.in))
				if got, want := c.bytes(), "\nreceipt-id:"+tc.out+"\n"; !strings.Contains(got, want) {
					t.Errorf("ERROR %q, want %q in it", got, want)
				}
			})
		})
	}
}

func TestEndsOfLineBetweenFramesAreUnlimited(t *testing.T) {
	t.Parallel()
	run(t, nil, func(c *client) {
		c.connect("1.2")
		for range 20 {
			c.send(strings.Repeat("\n\r\n", 10_000))
		}
		c.send(frame("BEGIN", "transaction:t", "receipt:r"))
		c.expect("RECEIPT receipt-id:r")
	})
}

func TestDefaultsAreTheContracts(t *testing.T) {
	t.Parallel()
	want := session.Config{
		Server:          "fliliy-chat/dev",
		HeartBeat:       session.HeartBeat{Send: 10 * time.Second, Receive: 10 * time.Second},
		ConnectTimeout:  10 * time.Second,
		PreAuthBytes:    8192,
		Limits:          stomp.Limits{MaxBody: 65536, MaxHeaders: 100, MaxHeaderLine: 8192},
		Subscriptions:   128,
		Window:          256,
		AnswerTimeout:   15 * time.Second,
		SendQueue:       524288,
		SendTimeout:     9 * time.Second, // with the linger time 10 s
		Hold:            session.Hold{From: 25 * time.Millisecond, For: 500 * time.Millisecond},
		Gather:          time.Millisecond,
		Linger:          time.Second,
		Transactions:    session.TransactionLimits{Open: 8, Frames: 100, Bytes: 262144},
		ReconnectSpread: 5 * time.Second,
	}
	if got := session.DefaultConfig(); got != want {
		t.Errorf("DefaultConfig() = %+v\nwant %+v", got, want)
	}
}
