package ws_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/transport"
	"github.com/fliliy/chat/gateway/internal/transport/ws"
)

// callOn has the connection call once; the channel tells what Poll said then.
func callOn(conn *ws.Conn) <-chan outcome {
	called := make(chan outcome, 1)
	conn.Await(func() {
		p, err := conn.Poll(false)
		called <- outcome{string(p), err}
	})
	return called
}

func within[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(patience):
		t.Fatalf("%s has not happened", what)
		panic("unreachable")
	}
}

// Who waits is called once for each wait, also for what had come before it began.
func TestAwaitCallsOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{})
	w := dialWire(t, r)
	conn := r.accepted(t).conn
	if !conn.CanAwait() {
		t.Fatal("a plain TCP connection cannot wait without a goroutine")
	}
	first := callOn(conn)
	w.send(t, frame(fin|opText, "one"))
	if got := within(t, "the call", first); got.text != "one" || got.err != nil {
		t.Fatalf("called with %q, %v", got.text, got.err)
	}
	w.send(t, frame(fin|opText, "two"))
	if p, err := conn.Poll(true); string(p) != "two" || err != nil {
		t.Errorf("Poll = %q, %v", p, err)
	}
	if p, err := conn.Poll(false); len(p) > 0 || err != nil {
		t.Errorf("Poll where nothing has come = %q, %v", p, err)
	}
	if len(first) > 0 {
		t.Error("called twice")
	}
}

// Bytes that came before Await are told, too.
func TestAwaitTellsWhatHasCome(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{})
	w := dialWire(t, r)
	conn := r.accepted(t).conn
	w.send(t, frame(fin|opText, "one"), frame(fin|opPing, "?"), frame(opText, "two"))
	for _, want := range []string{"one", "two"} {
		for got := (outcome{}); got.text == ""; {
			if got = within(t, "the call", callOn(conn)); got.err != nil || got.text != "" && got.text != want {
				t.Fatalf("called with %q, %v; want %q", got.text, got.err, want)
			}
		}
	}
}

// However a connection ends, who waits is called, and told how.
func TestAwaitTellsTheEnd(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		end  func(w *wire, conn *ws.Conn)
		code transport.CloseCode
	}{
		"the client closes":  {func(w *wire, _ *ws.Conn) { _, _ = w.Write(frame(fin|opClose, "\x03\xe8")) }, 1000},
		"the client is gone": {func(w *wire, _ *ws.Conn) { _ = w.Close() }, 0},
		"the server closes":  {func(_ *wire, conn *ws.Conn) { _ = conn.Close(transport.ClosePolicy, "why") }, 1008},
		"a write fails": {func(_ *wire, conn *ws.Conn) {
			for conn.Write(context.Background(), [][]byte{make([]byte, 1<<20)}) == nil { //nolint:revive // until it fails
			}
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, ws.Options{WriteTimeout: 50 * time.Millisecond})
			w := dialWire(t, r)
			conn := r.accepted(t).conn
			called := callOn(conn)
			go tc.end(w, conn)
			if got := within(t, "the call", called); got.err == nil || codeOf(got.err) != tc.code {
				t.Errorf("called with %q, %v; want code %d", got.text, got.err, tc.code)
			}
			if got := within(t, "the call after the end", callOn(conn)); codeOf(got.err) != tc.code || got.err == nil {
				t.Errorf("after the end: called with %q, %v; want code %d", got.text, got.err, tc.code)
			}
		})
	}
}

// A message that comes in single bytes is read like any other.
func TestAwaitByteByByte(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, called, ws.Options{})
	w := dialWire(t, r)
	got, _ := reading(t, r.accepted(t))
	for _, f := range [][]byte{frame(opText, "你"), frame(fin|opPing, "?"), frame(fin|opContinue, "好"), frame(fin|opClose, "\x03\xe8")} {
		for i := range f {
			w.send(t, f[i:i+1])
		}
	}
	if got() != "你好" {
		t.Errorf("read %q", got())
	}
}

// A server whose Serve returns while it waits keeps the connection; a panic in what is called closes it.
func TestPanicWhenCalled(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{Serve: func(_ context.Context, c *ws.Conn, _ ws.Handshake) {
		c.Await(func() { panic("a bug") })
	}})
	w := dialWire(t, r)
	w.send(t, frame(fin|opText, "x"))
	if code := w.closeCode(t); code != transport.CloseInternal {
		t.Errorf("close code %d after a panic, want 1011", code)
	}
}

// Connections that wait hold no goroutine, and the poller's ends with the last of them.
func TestWaitingTakesNoGoroutine(t *testing.T) {
	const connections = 50
	done := make(chan struct{}, connections)
	var over func(c *ws.Conn) func()
	over = func(c *ws.Conn) func() {
		return func() {
			if _, err := c.Poll(false); err != nil {
				done <- struct{}{}
				return
			}
			c.Await(over(c))
		}
	}
	waits := make(chan struct{}, connections)
	r := newRig(t, ws.Options{Serve: func(_ context.Context, c *ws.Conn, _ ws.Handshake) {
		c.Await(over(c))
		waits <- struct{}{}
	}})
	before := runtime.NumGoroutine()
	clients := make([]*wire, connections)
	for i := range clients {
		clients[i] = dialWire(t, r)
		within(t, "Await", waits)
	}
	settle(t, before+1) // the poller's
	for _, c := range clients {
		_ = c.Close()
		within(t, "the end", done)
	}
	settle(t, before)
}

// settle waits until there are no more goroutines than that.
func settle(t *testing.T, most int) {
	t.Helper()
	deadline := time.After(patience)
	for runtime.NumGoroutine() > most {
		select {
		case <-deadline:
			t.Fatalf("%d goroutines, want %d at most", runtime.NumGoroutine(), most)
		default:
			runtime.Gosched()
		}
	}
}
