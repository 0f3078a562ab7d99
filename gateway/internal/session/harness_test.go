package session_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/fake"
	"github.com/fliliy/chat/gateway/internal/principal"
	"github.com/fliliy/chat/gateway/internal/session"
	"github.com/fliliy/chat/gateway/internal/stomp"
	"github.com/fliliy/chat/gateway/internal/transport"
)

// client is the client's end of a session that runs in a synctest bubble: a bubble fails when a goroutine is left.
type client struct {
	t        *testing.T
	conn     *fake.Conn
	hub      *fake.Hub
	relay    *fake.Relay
	presence *fake.Presence
	where    *fake.Where
	auth     fake.Authenticator
	cfg      session.Config
	logs     bytes.Buffer

	user    string // of the handshake
	issued  time.Time
	expires time.Time
	drain   context.CancelFunc
	factory *session.Factory
	done    chan struct{}

	settled int // submissions answered so far
	door    session.Door
	tickets session.Tickets
	stalled bool // the client takes no bytes
}

// run runs a test against a session, twice: on a connection that its reader and its writer wait for, and on one that
// waits by itself. Before it starts, setup may change what the session is made of.
func run(t *testing.T, setup, test func(c *client)) {
	t.Helper()
	for _, waiting := range []bool{false, true} {
		runOn(t, waiting, setup, test)
		if t.Failed() {
			t.Fatalf("on a connection that waits by itself: %t", waiting)
		}
	}
}

func runOn(t *testing.T, waiting bool, setup, test func(c *client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &client{
			t: t, conn: fake.NewConn(), hub: &fake.Hub{}, relay: &fake.Relay{}, presence: &fake.Presence{}, where: &fake.Where{},
			auth: fake.Authenticator{"token-alice": {User: "alice"}, "token-bob": {User: "bob"}},
			cfg:  session.DefaultConfig(), user: "alice", done: make(chan struct{}),
		}
		c.cfg.Server, c.cfg.Gather = "fliliy-chat/test", 0 // TestGather is about what waits
		if setup != nil {
			setup(c)
		}
		var ctx context.Context
		ctx, c.drain = context.WithCancel(t.Context())
		c.factory = session.New(c.cfg, session.Deps{
			Hub: c.hub, Relay: c.relay, Presence: c.presence, Where: c.where, Auth: c.auth, Tickets: c.tickets,
			Logger: slog.New(slog.NewTextHandler(&c.logs, nil)),
		})
		var conn session.Conn = c.conn
		if waiting {
			conn = &fake.Waiting{Conn: c.conn}
		}
		go func() {
			defer close(c.done)
			c.factory.Serve(ctx, conn, principal.Principal{User: c.user, Issued: c.issued, Expires: c.expires}, c.door)
		}()
		test(c)
		c.conn.HangUp(transport.CloseNormal)
		<-c.done
		c.nothingLeft()
		c.pass(time.Minute) // whoever writes for several sessions goes home
	})
}

// nothingLeft holds at the end of every session, however it went.
func (c *client) nothingLeft() {
	c.t.Helper()
	if n := c.hub.Subscriptions(); n != 0 {
		c.t.Errorf("%d subscriptions are left in the hub", n)
	}
	if n := c.presence.Sessions(); n != 0 {
		c.t.Errorf("%d sessions are left in presence", n)
	}
	if c.conn.Open() {
		c.t.Error("the connection is still open")
	}
	disconnects := 0
	for _, call := range c.presence.Calls() {
		if strings.HasPrefix(call, "stray") {
			c.t.Errorf("presence was told %q", call)
		}
		if strings.HasPrefix(call, "disconnect") {
			disconnects++
		}
	}
	if disconnects > 1 {
		c.t.Errorf("presence was told of %d disconnects, want one at most", disconnects)
	}
}

// send puts bytes on the pipe in one chunk and waits until the session has nothing left to do. "^@" stands for NUL.
func (c *client) send(text string) {
	c.conn.Send([]byte(strings.ReplaceAll(text, "^@", "\x00")))
	synctest.Wait()
}

// pass lets time pass.
func (c *client) pass(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
	synctest.Wait()
}

// connect opens the session with a version.
func (c *client) connect(version string) {
	c.t.Helper()
	c.send(frame("CONNECT", "accept-version:"+version))
	out := c.out()
	if len(out) != 1 || !strings.HasPrefix(out[0], "CONNECTED version:"+version) {
		c.t.Fatalf("CONNECT %s was answered with %q", version, out)
	}
}

// frame writes a frame without a body.
func frame(lines ...string) string { return strings.Join(lines, "\n") + "\n\n^@" }

// frameWith writes a frame with a body.
func frameWith(body string, lines ...string) string {
	return strings.Join(lines, "\n") + "\n\n" + body + "^@"
}

// out returns the frames that came out since the last call, one line each: command, headers in their order without
// content-type and content-length, and the body after "|". Bodies of ERROR, and messages of ERROR events, are meant for
// people and left out; so are values that differ from run to run. A heart-beat is "beat".
func (c *client) out() []string {
	c.t.Helper()
	synctest.Wait()
	var lines []string
	for _, message := range c.conn.Take() {
		if string(message) == "\n" {
			lines = append(lines, "beat")
			continue
		}
		lines = append(lines, c.render(message))
	}
	return lines
}

func (c *client) render(message []byte) string {
	c.t.Helper()
	decoder := stomp.NewDecoder(stomp.Limits{MaxBody: 1 << 20, MaxHeaders: 100, MaxHeaderLine: 1 << 16})
	decoder.Feed(message)
	f, err := decoder.Next()
	if err != nil || f == nil || decoder.Buffered() > 0 || message[len(message)-1] != 0 {
		c.t.Fatalf("transport message %q is not one frame: %v", message, err)
	}
	var line strings.Builder
	line.WriteString(f.Command)
	for _, field := range f.Header {
		switch {
		case strings.HasPrefix(field.Key, "content-"):
			continue
		case f.Command == stomp.CmdReceipt && field.Key == "seq" && field.Value == "0":
			continue // a SUBSCRIBE to an empty log: TestSubscribeReceiptNamesThePosition
		case field.Key == "session":
			field.Value = "S"
		case field.Key == "message-id" && f.Header.Get("event") == string(event.Failure),
			field.Key == "message-id" && f.Header.Get("event") == string(event.Drain):
			if _, number, local := strings.Cut(field.Value, "-"); local {
				field.Value = "S-" + number
			}
		}
		line.WriteString(" " + field.Key + ":" + field.Value)
	}
	if f.Command == stomp.CmdMessage {
		line.WriteString(" | " + body(f))
	}
	return line.String()
}

func body(f *stomp.Frame) string {
	kind := f.Header.Get("event")
	if kind != string(event.Failure) {
		return string(f.Body)
	}
	var refused struct{ Code, Destination, ReceiptID, ClientMessageID string }
	if err := json.Unmarshal(f.Body, &refused); err != nil {
		return err.Error()
	}
	return strings.Join([]string{refused.Code, refused.Destination, refused.ReceiptID, refused.ClientMessageID}, ",")
}

// expect compares what came out with lines as out writes them. A line that ends in "..." is a beginning.
func (c *client) expect(want ...string) {
	c.t.Helper()
	got := c.out()
	same := func(got, want string) bool {
		beginning, cut := strings.CutSuffix(want, "...")
		return got == want || cut && strings.HasPrefix(got, beginning)
	}
	if !slices.EqualFunc(got, want, same) {
		c.t.Errorf("frames that came out:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// expectClose waits for the end of the session and compares its close code; 0 is "open".
func (c *client) expectClose(want transport.CloseCode) {
	c.t.Helper()
	synctest.Wait()
	closed := c.conn.Closed()
	switch {
	case want == 0 && closed != nil:
		c.t.Errorf("closed with %d %q, want it open", closed.Code, closed.Reason)
	case want != 0 && closed == nil:
		c.t.Errorf("still open, want it closed with %d", want)
	case want != 0 && closed.Code != want:
		c.t.Errorf("closed with %d %q, want %d", closed.Code, closed.Reason, want)
	case want != 0 && (closed.Reason == "" || len(closed.Reason) > 123):
		c.t.Errorf("close reason %q, want 1 to 123 bytes", closed.Reason)
	}
}

func room(id int64) event.Log { return event.Log{Room: id} }

// message is an event of a room's log.
func message(log event.Log, seq int64, id string) event.Event {
	return event.New(log.Destination(), event.Message, seq, id, []byte(`{"event":"MESSAGE"}`))
}

// step is bytes of a client in one chunk, and what comes out because of them.
type step struct {
	in  string
	out []string
}

// story is a session told in steps.
type story struct {
	name    string
	version string // "" for a story that begins before CONNECT
	setup   func(c *client)
	steps   []step
	close   transport.CloseCode // at the end; 0: still open
}

// tell runs stories, each as a test of its own.
func tell(t *testing.T, stories []story) {
	t.Helper()
	for _, story := range stories {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			run(t, story.setup, func(c *client) {
				if story.version != "" {
					c.connect(story.version)
				}
				for _, step := range story.steps {
					c.send(step.in)
					c.expect(step.out...)
				}
				c.expectClose(story.close)
			})
		})
	}
}
