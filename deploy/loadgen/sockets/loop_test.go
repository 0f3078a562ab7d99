package sockets_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/fliliy/chat/deploy/loadgen/sockets"
)

const patience = 30 * time.Second

// told is what a handler was told.
type told struct {
	kind string // opened, message, closed, due
	conn *sockets.Conn
	text []byte
	err  error
}

// ear passes on what it is told.
type ear struct{ told chan told }

func (e *ear) Opened(c *sockets.Conn) { e.told <- told{kind: "opened", conn: c} }
func (e *ear) Message(c *sockets.Conn, m []byte) {
	e.told <- told{kind: "message", conn: c, text: bytes.Clone(m)}
}

func (e *ear) Closed(c *sockets.Conn, err error) { e.told <- told{kind: "closed", conn: c, err: err} }
func (e *ear) Due()                              { e.told <- told{kind: "due"} }

func (e *ear) next(t *testing.T, kind string) told {
	t.Helper()
	select {
	case got := <-e.told:
		if got.kind != kind {
			t.Fatalf("told %s (%v), want %s", got.kind, got.err, kind)
		}
		return got
	case <-time.After(patience):
		t.Fatalf("not told of %s", kind)
		return told{}
	}
}

func run(t *testing.T) (*sockets.Loop, *ear) {
	t.Helper()
	e := &ear{told: make(chan told, 1000)}
	loop, err := sockets.New(e)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- loop.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run does not end")
		}
	})
	return loop, e
}

// serve runs a WebSocket server.
func serve(t *testing.T, talk func(ctx context.Context, c *websocket.Conn)) netip.AddrPort {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ws" {
			http.Error(w, "not here", http.StatusForbidden)
			return
		}
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"v12.stomp"}})
		if err != nil {
			return
		}
		c.SetReadLimit(1 << 20)
		talk(context.Background(), c)
		_ = c.CloseNow()
	}))
	t.Cleanup(s.Close)
	return netip.MustParseAddrPort(s.Listener.Addr().String())
}

func echo(ctx context.Context, c *websocket.Conn) {
	for {
		kind, data, err := c.Read(ctx)
		if err != nil || c.Write(ctx, kind, data) != nil {
			return
		}
	}
}

func dial(t *testing.T, loop *sockets.Loop, e *ear, to netip.AddrPort) *sockets.Conn {
	t.Helper()
	loop.Do(func() {
		if _, err := loop.Dial(7, netip.MustParseAddr("127.0.0.9"), to, "/ws"); err != nil {
			t.Error(err)
		}
	})
	conn := e.next(t, "opened").conn
	if conn.Owner != 7 {
		t.Errorf("owner %d, want 7", conn.Owner)
	}
	return conn
}

func TestMessagesOfAllSizesThereAndBack(t *testing.T) {
	t.Parallel()
	loop, e := run(t)
	conn := dial(t, loop, e, serve(t, echo))
	for _, size := range []int{0, 1, 7, 8, 9, 125, 126, 127, 65535, 65536, 200_000} {
		want := bytes.Repeat([]byte("fliliy!"), size/7+1)[:size]
		loop.Do(func() {
			if err := loop.Send(conn, want); err != nil {
				t.Error(err)
			}
		})
		if got := e.next(t, "message").text; !bytes.Equal(got, want) {
			t.Errorf("%d bytes came back as %d others", size, len(got))
		}
	}
}

// Many messages in one read, and one message in many.
func TestMessagesHoweverTheyAreCut(t *testing.T) {
	t.Parallel()
	loop, e := run(t)
	dial(t, loop, e, serve(t, func(ctx context.Context, c *websocket.Conn) {
		for i := range 500 {
			_ = c.Write(ctx, websocket.MessageText, fmt.Append(nil, i, strings.Repeat("x", i)))
		}
		w, err := c.Writer(ctx, websocket.MessageText) // sends fragments
		if err != nil {
			return
		}
		for range 10 {
			_, _ = w.Write(bytes.Repeat([]byte("y"), 5000))
		}
		_ = w.Close()
		echo(ctx, c)
	}))
	for i := range 500 {
		if got, want := string(e.next(t, "message").text), fmt.Sprint(i)+strings.Repeat("x", i); got != want {
			t.Fatalf("message %d is %.20q of %d bytes", i, got, len(got))
		}
	}
	if got := e.next(t, "message").text; len(got) != 50_000 {
		t.Errorf("the fragments make %d bytes, want 50,000", len(got))
	}
}

func TestPingsAreAnswered(t *testing.T) {
	t.Parallel()
	loop, e := run(t)
	answered := make(chan error, 1)
	dial(t, loop, e, serve(t, func(ctx context.Context, c *websocket.Conn) {
		reading := c.CloseRead(ctx)
		answered <- c.Ping(reading)
		<-reading.Done()
	}))
	select {
	case err := <-answered:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("a ping gets no answer")
	}
}

func TestEnds(t *testing.T) {
	t.Parallel()
	loop, e := run(t)
	dial(t, loop, e, serve(t, func(_ context.Context, c *websocket.Conn) { _ = c.Close(4001, "enough") }))
	var closed *sockets.CloseError
	if err := e.next(t, "closed").err; !errors.As(err, &closed) || closed.Code != 4001 || closed.Reason != "enough" {
		t.Errorf("closed with %v, want 4001 enough", err)
	}
	dial(t, loop, e, serve(t, func(_ context.Context, c *websocket.Conn) { _ = c.CloseNow() }))
	if err := e.next(t, "closed").err; err == nil || errors.As(err, &closed) {
		t.Errorf("closed with %v, want an error that is no close frame", err)
	}
	there := serve(t, echo)
	loop.Do(func() { _, _ = loop.Dial(1, netip.Addr{}, there, "/elsewhere") })
	if err := e.next(t, "closed").err; err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("refused with %v, want the status", err)
	}
	loop.Do(func() {
		if _, err := loop.Dial(1, netip.Addr{}, netip.MustParseAddrPort("127.0.0.1:1"), "/ws"); err != nil {
			e.told <- told{kind: "closed", err: err} // refused at once, or a little later
		}
	})
	if err := e.next(t, "closed").err; err == nil {
		t.Error("nobody listens, and the connection ends without an error")
	}
}

// A server that does not read for a while gets everything in the end; one that never does is given up.
func TestServerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	loop, e := run(t)
	read := make(chan struct{})
	conn := dial(t, loop, e, serve(t, func(ctx context.Context, c *websocket.Conn) {
		<-read
		echo(ctx, c)
	}))
	message := bytes.Repeat([]byte("z"), 100_000)
	sent, failed := 0, make(chan error, 1)
	loop.Do(func() {
		for {
			if err := loop.Send(conn, message); err != nil {
				failed <- err
				return
			}
			sent++
		}
	})
	select {
	case err := <-failed:
		if err == nil {
			t.Fatal("no error")
		}
	case <-time.After(patience):
		t.Fatal("Send takes everything")
	}
	close(read)
	for range sent {
		if got := e.next(t, "message").text; len(got) != len(message) {
			t.Fatalf("a message of %d bytes came back as %d", len(message), len(got))
		}
	}
}

func TestCloseIsQuiet(t *testing.T) {
	t.Parallel()
	loop, e := run(t)
	conn := dial(t, loop, e, serve(t, echo))
	loop.Do(func() {
		loop.Close(conn)
		loop.Close(conn)
		if err := loop.Send(conn, []byte("x")); err == nil {
			t.Error("Send works after Close")
		}
		if err := loop.Arm(loop.Now()); err != nil {
			t.Error(err)
		}
	})
	e.next(t, "due") // and nothing of the connection
}

func TestArm(t *testing.T) {
	t.Parallel()
	loop, e := run(t)
	loop.Do(func() {
		if err := errors.Join(loop.Arm(loop.Now()+time.Hour), loop.Arm(loop.Now()+time.Millisecond)); err != nil {
			t.Error(err)
		}
	})
	e.next(t, "due")
}
