package ws_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/transport"
	"github.com/fliliy/chat/gateway/internal/transport/ws"
)

// All messages of one call leave in one system call.
func TestWriteGathers(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, through, ws.Options{})
	w := dialWire(t, r)
	conn := r.accepted(t).conn
	before := r.writes.Load()

	messages := make([][]byte, 100)
	for i := range messages {
		messages[i] = fmt.Appendf(nil, "MESSAGE\n\n%d %s", i, strings.Repeat("x", 2*i)) // 7-bit and 16-bit lengths
	}
	if err := conn.Write(t.Context(), messages); err != nil {
		t.Fatal(err)
	}
	for i, want := range messages {
		first, payload, err := w.read()
		if err != nil || first != fin|opText || string(payload) != string(want) {
			t.Fatalf("frame %d: %x %q, %v", i, first, payload, err)
		}
	}
	if n := r.writes.Load() - before; n != 1 {
		t.Errorf("%d system calls for 100 messages of 15 KB, want 1", n)
	}
}

func TestWriteTextOrBinary(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{})
	w := dialWire(t, r)
	conn := r.accepted(t).conn
	messages := [][]byte{[]byte("\n"), []byte("你好\x00"), {0xff, 0}, []byte("cut \xe4\xbd"), []byte(strings.Repeat("é", 40_000))}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := conn.Write(context.Background(), messages); err != nil {
			t.Errorf("Write: %v", err)
		}
	})
	for i, want := range []byte{opText, opText, opBinary, opBinary, opText} {
		first, payload, err := w.read()
		if err != nil {
			t.Fatal(err)
		}
		if first != fin|want || string(payload) != string(messages[i]) {
			t.Errorf("message %d came with %x and %d bytes, want %x and %d", i, first, len(payload), fin|want, len(messages[i]))
		}
	}
	wg.Wait()
}

// Many writes in a row share a deadline: it costs more than a frame. A sooner one is set all the same.
func TestWritesShareADeadline(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, through, ws.Options{WriteTimeout: 10 * time.Hour})
	dialWire(t, r)
	conn := r.accepted(t).conn
	before := r.deadlines.Load()
	for range 50 {
		if err := conn.Write(t.Context(), [][]byte{[]byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.deadlines.Load() - before; n != 1 {
		t.Errorf("%d deadlines for 50 writes in a row, want 1", n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for range 2 {
		if err := conn.Write(ctx, [][]byte{[]byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.deadlines.Load() - before; n != 3 {
		t.Errorf("%d deadlines, want one more for each write that has to be done much sooner", n)
	}
}

// Where the system says whether a write has to wait, no deadline is set for one that has not.
func TestNoDeadlineWithoutWaiting(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, direct, ws.Options{WriteTimeout: 50 * time.Millisecond})
	dialWire(t, r)
	conn := r.accepted(t).conn
	if !conn.CanYield() {
		t.Fatal("a plain TCP connection does not know when a write has to wait")
	}
	before, waits := r.deadlines.Load(), 0
	for range 50 {
		if err := conn.WriteYielding([][]byte{[]byte("x")}, func() { waits++ }); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.deadlines.Load() - before; n != 0 || waits != 0 {
		t.Errorf("%d deadlines and %d waits for messages that fit into the kernel, want none", n, waits)
	}
	var err error
	for err == nil {
		err = conn.WriteYielding([][]byte{make([]byte, 1<<20)}, func() { waits++ })
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) || waits == 0 {
		t.Errorf("a peer that does not read: %v after %d waits, want a time-out after some", err, waits)
	}
}

// A write that had to wait leaves no deadline behind for later ones.
func TestWriteAfterWaiting(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, direct, ws.Options{WriteTimeout: patience})
	w := dialWire(t, r)
	conn := r.accepted(t).conn
	waited := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		var err error
		for hasWaited := false; !hasWaited && err == nil; {
			err = conn.WriteYielding([][]byte{make([]byte, 1<<20)}, func() {
				hasWaited = true
				close(waited)
			})
		}
		done <- err
	}()
	within(t, "a wait", waited)
	go func() { _, _ = io.Copy(io.Discard, w) }()
	if err := within(t, "Write", done); err != nil {
		t.Fatal(err)
	}
	if set := r.deadlines.Load(); set%2 != 0 {
		t.Errorf("deadlines were set %d times: one was not taken back", set)
	}
	if err := conn.Write(t.Context(), [][]byte{[]byte("x")}); err != nil {
		t.Error(err)
	}
}

// Behind a close frame comes nothing more (RFC 6455 section 5.5.1).
func TestNothingFollowsACloseFrame(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{})
	w := dialWire(t, r)
	s := r.accepted(t)
	_, end := reading(t, s)
	w.send(t, frame(fin|opClose, "\x03\xe8"))
	if code := codeOf(end()); code != transport.CloseNormal {
		t.Fatalf("Read ended with code %d, want 1000", code)
	}
	if err := s.conn.Write(t.Context(), [][]byte{[]byte("late")}); err == nil {
		t.Error("Write works behind the close frame")
	}
	if first, _, err := w.read(); err != nil || first != fin|opClose {
		t.Fatalf("got %x, %v; want the answer to the close frame", first, err)
	}
	if first, payload, err := w.read(); err == nil {
		t.Errorf("%x %q follows the close frame", first, payload)
	}
}

// A peer that does not read blocks a writer no longer than the time-out, and does not keep it from closing.
func TestWriteToADeadPeer(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{WriteTimeout: 50 * time.Millisecond})
	dialWire(t, r) // never reads
	s := r.accepted(t)
	_, end := reading(t, s)
	var err error
	for err == nil {
		err = s.conn.Write(context.Background(), [][]byte{make([]byte, 1<<20)})
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write = %v, want a time-out", err)
	}
	if err := end(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read ended with %v, want the writer's time-out", err)
	}
	if err := s.conn.Close(transport.CloseTryLater, "slow"); err != nil {
		t.Errorf("Close after the end: %v", err)
	}
}

func TestWriteHeedsTheContextsDeadline(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{WriteTimeout: time.Hour})
	dialWire(t, r)
	conn := r.accepted(t).conn
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var err error
	for err == nil {
		err = conn.Write(ctx, [][]byte{make([]byte, 1<<20)})
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Write = %v, want a time-out", err)
	}
}

// Closing a connection whose writer is stuck waits for nobody but the lingering time.
func TestCloseWhileAWriteIsStuck(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{WriteTimeout: time.Hour})
	dialWire(t, r)
	s := r.accepted(t)
	stuck := make(chan error, 1)
	progress := make(chan struct{}, 1)
	go func() {
		for {
			if err := s.conn.Write(context.Background(), [][]byte{make([]byte, 1<<20)}); err != nil {
				stuck <- err
				return
			}
			select {
			case progress <- struct{}{}:
			default:
			}
		}
	}()
	<-progress
	closed := make(chan struct{})
	go func() {
		_ = s.conn.Close(transport.CloseTryLater, "slow consumer")
		close(closed)
	}()
	for range 2 {
		select {
		case err := <-stuck:
			if codeOf(err) != transport.CloseTryLater {
				t.Errorf("Write ended with %v, want code 1013", err)
			}
		case <-closed:
			closed = nil
		case <-time.After(patience):
			t.Fatal("Write or Close still waits")
		}
	}
}

func TestWriteAfterTheClientsClose(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{})
	w := dialWire(t, r)
	s := r.accepted(t)
	_, end := reading(t, s)
	w.send(t, frame(fin|opClose, "\x03\xe8bye"))
	if codeOf(end()) != 1000 {
		t.Fatalf("Read ended with %v", end())
	}
	if err := s.conn.Write(t.Context(), [][]byte{[]byte("late")}); codeOf(err) != 1000 {
		t.Errorf("Write = %v, want the client's close", err)
	}
}

// A session that panics takes its own connection down, with 1011, and nothing else.
func TestPanicClosesOneConnection(t *testing.T) {
	t.Parallel()
	var first sync.Once
	r := newRig(t, ws.Options{Serve: func(_ context.Context, c *ws.Conn, _ ws.Handshake) {
		first.Do(func() { panic("a bug") })
		_ = c.Write(context.Background(), [][]byte{[]byte("fine")})
	}})
	if code := dialWire(t, r).closeCode(t); code != transport.CloseInternal {
		t.Errorf("close code %d after a panic, want 1011", code)
	}
	w := dialWire(t, r)
	if _, payload, err := w.read(); err != nil || string(payload) != "fine" {
		t.Errorf("the next connection got %q, %v", payload, err)
	}
	if code := w.closeCode(t); code != transport.CloseNormal {
		t.Errorf("close code %d after Serve returned, want 1000", code)
	}
}

// The context of connections is the one of Options, not the request's, which ends with the upgrade.
func TestContextOutlivesTheRequest(t *testing.T) {
	t.Parallel()
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "mine"))
	seen := make(chan error, 1)
	r := newRig(t, ws.Options{Context: ctx, Serve: func(ctx context.Context, c *ws.Conn, _ ws.Handshake) {
		if ctx.Value(key{}) != "mine" {
			t.Error("Serve got another context")
		}
		_, err := c.Read(ctx)
		if err == nil {
			_, err = c.Read(ctx)
		}
		seen <- err
	}})
	w := dialWire(t, r)
	w.send(t, frame(fin|opText, "x"))
	cancel()
	select {
	case err := <-seen:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Read = %v, want context.Canceled", err)
		}
	case <-time.After(patience):
		t.Fatal("Read has not ended with the context")
	}
}

// BenchmarkWrite is what it costs to send messages of 400 bytes, one a call and many, system call included.
func BenchmarkWrite(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := newRig(b, ws.Options{})
			w := dialWire(b, r)
			conn := r.accepted(b).conn
			go func() { _, _ = io.Copy(io.Discard, w) }()
			messages := make([][]byte, n)
			for i := range messages {
				messages[i] = []byte(strings.Repeat("x", 400))
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := conn.Write(context.Background(), messages); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/message")
		})
	}
}
