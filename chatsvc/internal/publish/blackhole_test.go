package publish_test

import (
	"net"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/publish"
)

// hole is a TCP proxy that can become a black hole: it takes everything in and passes nothing on.
type hole struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	black bool
	conns []net.Conn
}

func startHole(tb testing.TB, target string) *hole {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	h := &hole{listener: listener, target: target}
	var running sync.WaitGroup
	running.Go(func() { h.accept(&running) })
	tb.Cleanup(func() {
		_ = listener.Close()
		h.cut()
		running.Wait()
	})
	return h
}

func (h *hole) accept(running *sync.WaitGroup) {
	for {
		client, err := h.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", h.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		h.mu.Lock()
		h.conns = append(h.conns, client, server)
		h.mu.Unlock()
		running.Go(func() { h.pass(server, client) })
		running.Go(func() { h.pass(client, server) })
	}
}

func (h *hole) pass(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && !h.isBlack() {
			_, err = to.Write(buffer[:n])
		}
		if err != nil {
			_, _ = to.Close(), from.Close()
			return
		}
	}
}

func (h *hole) isBlack() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.black
}

func (h *hole) set(black bool) {
	h.mu.Lock()
	h.black = black
	h.mu.Unlock()
}

// cut breaks all connections.
func (h *hole) cut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.conns {
		_ = c.Close()
	}
	h.conns = nil
}

// A connection that looks alive and leads nowhere takes digests in; none of them counts.
func TestDigestsIntoABlackHoleDoNotCount(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	proxy := startHole(t, broker.url()[len("nats://"):])
	r := newRig(t, "nats://"+proxy.listener.Addr().String(), publish.Options{Interval: often, Repeats: 2}).run(t)
	ear := listen(t, broker.url())
	proxy.set(true)
	r.publisher.Publish([]chat.Event{message(42, 7, "lost")}, nil)
	eventually(t, "more digests are sent than a head is named in", func() bool {
		return testutil.ToFloat64(r.metrics.Sent.WithLabelValues("heads")) >= 5
	})
	if len(ear.msgs) != 0 {
		t.Fatal("something came through the black hole")
	}
	proxy.set(false)
	proxy.cut()
	if heads := ear.heads(); len(heads) != 1 || heads[0].GetLog().GetChatRoomId() != 42 || heads[0].GetSeq() != 7 {
		t.Errorf("the digest after the reconnect is %v, want room 42 at 7", heads)
	}
}
