package session_test

import (
	"context"
	"os"
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

// fileConn is a sinkConn that makes a system call, as deep as that of a socket.
type fileConn struct {
	sinkConn
	file *os.File
}

func (c *fileConn) Write(ctx context.Context, messages [][]byte) error {
	for _, message := range messages {
		if _, err := c.file.Write(message); err != nil {
			return err
		}
	}
	return c.sinkConn.Write(ctx, messages)
}

// tellingConn is a fileConn that never waits, and says so.
type tellingConn struct{ fileConn }

func (*tellingConn) CanYield() bool { return true }

func (c *tellingConn) WriteYielding(messages [][]byte, _ func()) error {
	return c.Write(context.Background(), messages)
}

// BenchmarkFanOut is what one event costs that goes to 500 sessions which have nothing else to write: with a goroutine
// for each, and with those that all share.
func BenchmarkFanOut(b *testing.B) {
	const sessions = 500
	for _, shared := range []bool{false, true} {
		b.Run("shared="+strconv.FormatBool(shared), func(b *testing.B) {
			null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
			if err != nil {
				b.Fatal(err)
			}
			defer null.Close()
			hub := &fake.Hub{}
			factory := session.New(session.DefaultConfig(), session.Deps{
				Hub: hub, Relay: &fake.Relay{}, Presence: &fake.Presence{}, Auth: fake.Authenticator{},
			})
			var running sync.WaitGroup
			conns := make([]*fileConn, sessions)
			for i := range conns {
				var conn session.Conn
				in := make(chan []byte, 2)
				if shared {
					telling := &tellingConn{fileConn{sinkConn{in: in}, null}}
					conn, conns[i] = telling, &telling.fileConn
				} else {
					conns[i] = &fileConn{sinkConn{in: in}, null}
					conn = conns[i]
				}
				running.Go(func() { factory.Serve(context.Background(), conn, principal.Principal{User: "alice"}, nil) })
				in <- []byte("CONNECT\naccept-version:1.2\n\n\x00SUBSCRIBE\nid:1\nreceipt:r\ndestination:/topic/chat/1\n\n\x00")
				conns[i].await(2)
			}
			e := event.New("/topic/chat/1", event.Message, 7, "1-7", make([]byte, 200))
			sent := int64(2)
			b.ReportAllocs()
			for b.Loop() {
				hub.Deliver(room(1), &e)
				sent++
				for _, conn := range conns {
					conn.await(sent)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*sessions), "ns/delivery")
			for _, conn := range conns {
				close(conn.in)
			}
			running.Wait()
		})
	}
}
