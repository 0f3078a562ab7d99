package publish_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/protobuf/proto"

	"github.com/fliliy/chat/chatsvc/internal/metrics"
	"github.com/fliliy/chat/chatsvc/internal/publish"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
	"github.com/fliliy/chat/proto/subject"
)

// patience is how long a test waits for something that must happen.
const patience = 20 * time.Second

// broker is a NATS server that can go away and come back on its port.
type broker struct {
	tb     testing.TB
	port   int
	server *server.Server
}

func startBroker(tb testing.TB) *broker {
	b := &broker{tb: tb, port: server.RANDOM_PORT}
	b.start()
	tb.Cleanup(b.stop)
	return b
}

func (b *broker) start() {
	b.tb.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: b.port, NoLog: true, NoSigs: true})
	if err != nil {
		b.tb.Fatalf("new NATS server: %v", err)
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		b.tb.Fatal("the NATS server does not become ready")
	}
	b.server = s
	if b.port == server.RANDOM_PORT {
		_, err = fmt.Sscanf(s.ClientURL(), "nats://127.0.0.1:%d", &b.port)
		if err != nil {
			b.tb.Fatalf("read the port of %s: %v", s.ClientURL(), err)
		}
	}
}

func (b *broker) stop() {
	b.server.Shutdown()
	b.server.WaitForShutdown()
}

func (b *broker) url() string { return fmt.Sprintf("nats://127.0.0.1:%d", b.port) }

// ear is a plain NATS client that hears everything the chat service publishes.
type ear struct {
	tb   testing.TB
	nc   *nats.Conn
	msgs chan *nats.Msg
}

func listen(tb testing.TB, url string) *ear {
	tb.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		tb.Fatalf("connect: %v", err)
	}
	tb.Cleanup(nc.Close)
	e := &ear{tb: tb, nc: nc, msgs: make(chan *nats.Msg, 10_000)}
	if _, err := nc.ChanSubscribe("chat.v1.>", e.msgs); err != nil {
		tb.Fatalf("subscribe: %v", err)
	}
	if err := nc.Flush(); err != nil {
		tb.Fatalf("flush: %v", err)
	}
	return e
}

// next returns the next message that is, or is not, a digest.
func (e *ear) next(digest bool) *nats.Msg {
	e.tb.Helper()
	deadline := time.After(patience)
	for {
		select {
		case m := <-e.msgs:
			if (m.Subject == subject.Heads) == digest {
				return m
			}
		case <-deadline:
			e.tb.Fatalf("no message within %s (digest: %v)", patience, digest)
		}
	}
}

func (e *ear) envelope() (string, *chatv1.Envelope, []byte) {
	e.tb.Helper()
	m := e.next(false)
	envelope := new(chatv1.Envelope)
	if err := proto.Unmarshal(m.Data, envelope); err != nil {
		e.tb.Fatalf("envelope on %s: %v", m.Subject, err)
	}
	return m.Subject, envelope, m.Data
}

func (e *ear) heads() []*chatv1.LogHead {
	e.tb.Helper()
	digest := new(chatv1.Heads)
	if err := proto.Unmarshal(e.next(true).Data, digest); err != nil {
		e.tb.Fatalf("digest: %v", err)
	}
	return digest.GetHeads()
}

// drain forgets what has come so far, and all that the broker had taken in before the call.
func (e *ear) drain() {
	e.tb.Helper()
	if err := e.nc.Flush(); err != nil {
		e.tb.Fatalf("flush: %v", err)
	}
	for len(e.msgs) > 0 {
		<-e.msgs
	}
}

// rig is a publisher on a connection of its own.
type rig struct {
	publisher *publish.Publisher
	conn      *nats.Conn
	metrics   metrics.Post
	stop      func() // ends Run and waits for it
}

func newRig(tb testing.TB, url string, opts publish.Options) *rig {
	tb.Helper()
	opts.Metrics = metrics.New(prometheus.NewRegistry()).Post
	nc, err := publish.Dial(publish.DialOptions{
		URL: url, Logger: slog.New(slog.DiscardHandler), Metrics: opts.Metrics,
	})
	if err != nil {
		tb.Fatalf("dial: %v", err)
	}
	tb.Cleanup(nc.Close)
	return &rig{publisher: publish.New(nc, opts), conn: nc, metrics: opts.Metrics}
}

func (r *rig) run(tb testing.TB) *rig {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.publisher.Run(ctx) }()
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("Run: %v", err)
		}
	}
	tb.Cleanup(r.stop)
	return r
}

// awaitNothingToName waits, after a digest was heard, until no log is left to be named. How many digests that takes is
// open: one that the broker is slow to confirm comes once more.
func (r *rig) awaitNothingToName(tb testing.TB) {
	tb.Helper()
	eventually(tb, "nothing is left to name", func() bool { return testutil.ToFloat64(r.metrics.HeadsTracked) == 0 })
}

// eventually polls until a condition holds.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	deadline := time.After(patience)
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !holds() {
		select {
		case <-poll.C:
		case <-deadline:
			tb.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}
