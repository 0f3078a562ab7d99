package session_test

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/fake"
	"github.com/fliliy/chat/gateway/internal/principal"
	"github.com/fliliy/chat/gateway/internal/session"
	"github.com/fliliy/chat/gateway/internal/transport"
)

// sinkConn is a pipe to a client that takes everything at once: it counts, and keeps nothing.
type sinkConn struct {
	in       chan []byte
	messages atomic.Int64
}

func (c *sinkConn) Read(context.Context) ([]byte, error) {
	if chunk, open := <-c.in; open {
		return chunk, nil
	}
	return nil, &transport.ClosedError{Code: transport.CloseNormal}
}

func (c *sinkConn) Write(_ context.Context, messages [][]byte) error {
	c.messages.Add(int64(len(messages)))
	return nil
}

func (c *sinkConn) Close(transport.CloseCode, string) error {
	return nil
}

func (c *sinkConn) await(n int64) {
	for c.messages.Load() < n {
		runtime.Gosched()
	}
}

// serve opens a session with one subscription on room 1 and returns how to end it.
func serve(tb testing.TB, hub *fake.Hub, mode string) (*sinkConn, func()) {
	tb.Helper()
	conn := &sinkConn{in: make(chan []byte, 4)}
	factory := session.New(session.DefaultConfig(), session.Deps{
		Hub: hub, Relay: &fake.Relay{}, Presence: &fake.Presence{}, Auth: fake.Authenticator{},
	})
	var done sync.WaitGroup
	done.Go(func() { factory.Serve(context.Background(), conn, principal.Principal{User: "alice"}, nil) })
	conn.in <- []byte("CONNECT\naccept-version:1.2\nheart-beat:10000,10000\n\n\x00")
	conn.in <- []byte("SUBSCRIBE\nid:1\nreceipt:r\nack:" + mode + "\ndestination:/topic/chat/1\n\n\x00")
	conn.await(2)
	return conn, func() {
		close(conn.in)
		done.Wait()
	}
}

// BenchmarkDeliver is the way of an event from the hub to the transport: queued by the hub's goroutine, completed and
// written by the session's writer. The client reads all; the queue is drained within the measured time.
func BenchmarkDeliver(b *testing.B) {
	for _, mode := range []string{"auto", "client"} {
		b.Run("ack="+mode, func(b *testing.B) {
			hub := &fake.Hub{}
			conn, end := serve(b, hub, mode)
			defer end()
			e := event.New("/topic/chat/1", event.Message, 7, "1-7", make([]byte, 200))
			b.ReportAllocs()
			sent := conn.messages.Load()
			for b.Loop() {
				hub.Deliver(room(1), &e)
				sent++
				if sent%64 == 0 {
					conn.await(sent)
				}
			}
			conn.await(sent)
		})
	}
}

// TestDeliverDoesNotAllocate holds what BenchmarkDeliver measures.
func TestDeliverDoesNotAllocate(t *testing.T) {
	hub := &fake.Hub{}
	conn, end := serve(t, hub, "auto")
	defer end()
	e := event.New("/topic/chat/1", event.Message, 7, "1-7", make([]byte, 200))
	const burst = 100
	perBurst := testing.AllocsPerRun(100, func() {
		want := conn.messages.Load() + burst
		for range burst {
			hub.Deliver(room(1), &e)
		}
		conn.await(want)
	})
	// A garbage collection may empty the pools; a message of its own may not cost anything.
	if perBurst >= burst/2 {
		t.Errorf("%d deliveries allocate %.0f times", burst, perBurst)
	}
}

// BenchmarkIdleSession tells what a connected session with one subscription costs while nothing happens: heap and
// stack, without its transport.
func BenchmarkIdleSession(b *testing.B) {
	const sessions = 2000
	hub := &fake.Hub{}
	for b.Loop() {
		heap, stack := memory()
		ends := make([]func(), sessions)
		for i := range ends {
			_, ends[i] = serve(b, hub, "auto")
		}
		heapNow, stackNow := memory()
		b.ReportMetric((heapNow-heap)/sessions, "heap-B/session")
		b.ReportMetric((stackNow-stack)/sessions, "stack-B/session")
		for _, end := range ends {
			end()
		}
	}
	b.ReportMetric(0, "ns/op")
}

func memory() (heap, stack float64) {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc), float64(stats.StackInuse)
}

// BenchmarkSend is the way of a SEND with receipt through a session whose relay answers at once; the fake relay's
// record of it is included.
func BenchmarkSend(b *testing.B) {
	hub := &fake.Hub{}
	conn, end := serve(b, hub, "auto")
	defer end()
	body := `{"type":"TEXT","content":"hello","clientMessageId":"` + strconv.Itoa(1<<30) + `"}`
	chunk := []byte("SEND\ndestination:/app/chat/1/read\nreceipt:r\n\n" + body + "\x00")
	b.ReportAllocs()
	sent := conn.messages.Load()
	for b.Loop() {
		conn.in <- chunk
		sent++
		if sent%64 == 0 {
			conn.await(sent)
		}
	}
	conn.await(sent)
}
