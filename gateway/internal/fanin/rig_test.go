package fanin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/fanin"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
	"github.com/fliliy/chat/proto/subject"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// startServer starts a NATS server on the port, -1 for a free one, and returns it with its URL.
func startServer(t *testing.T, port int) (*server.Server, string) {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, NoLog: true, NoSigs: true, MaxControlLine: 4096,
	})
	if err != nil {
		t.Fatalf("make NATS server: %v", err)
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		t.Fatal("the NATS server does not get ready")
	}
	t.Cleanup(func() { stopServer(s) })
	return s, s.ClientURL()
}

func stopServer(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

func portOf(t *testing.T, s *server.Server) int {
	t.Helper()
	_, port, err := net.SplitHostPort(s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatalf("port of the NATS server: %v", err)
	}
	return n
}

// rig is a running fan-in on a real NATS server, a publisher beside it, and a hub that records.
type rig struct {
	*fanin.Fanin
	hub       *recorder
	conn      *nats.Conn
	publisher *nats.Conn
	trips     atomic.Int64 // round trips that conn asked the server for
	cut       atomic.Bool  // conn's packets vanish
}

// Dial makes the fan-in's connection.
func (r *rig) Dial(network, address string) (net.Conn, error) {
	if r.cut.Load() {
		return nil, errors.New("no way to the server")
	}
	c, err := net.DialTimeout(network, address, patience)
	if err != nil {
		return nil, err
	}
	return wire{Conn: c, rig: r}, nil
}

// wire is a connection that counts the PINGs written to it, and can be cut without anybody being told.
type wire struct {
	net.Conn
	rig *rig
}

func (w wire) Write(p []byte) (int, error) {
	if w.rig.cut.Load() {
		return len(p), nil
	}
	w.rig.trips.Add(int64(bytes.Count(p, []byte("PING\r\n"))))
	return w.Conn.Write(p)
}

func (w wire) Read(p []byte) (int, error) {
	for {
		n, err := w.Conn.Read(p)
		if err != nil || !w.rig.cut.Load() {
			return n, err
		}
	}
}

func start(t *testing.T, url string, options fanin.Options) *rig {
	t.Helper()
	return startWith(t, url, options, newRecorder())
}

func startWith(t *testing.T, url string, options fanin.Options, hub *recorder) *rig {
	t.Helper()
	r := &rig{hub: hub, publisher: dial(t, url)}
	r.conn = dial(t, url, nats.SetCustomDialer(r))
	r.Fanin = fanin.New(r.conn, options)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx, r.hub) }()
	eventually(t, "Run has begun", func() bool { return r.conn.NumSubscriptions() > 0 })
	t.Cleanup(func() {
		r.hub.release()
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		r.conn.Close()
		r.publisher.Close()
	})
	return r
}

func dial(t *testing.T, url string, more ...nats.Option) *nats.Conn {
	t.Helper()
	options := append(fanin.ConnOptions(), more...)
	options = append(options, nats.ReconnectWait(10*time.Millisecond), nats.ReconnectJitter(0, 0))
	nc, err := nats.Connect(url, options...)
	if err != nil {
		t.Fatalf("connect to NATS: %v", err)
	}
	return nc
}

func (r *rig) add(t *testing.T, log event.Log) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := r.Add(ctx, log); err != nil {
		t.Fatalf("Add(%v) = %v", log, err)
	}
}

// publish sends a message and returns when the server has it.
func (r *rig) publish(t *testing.T, subject string, message proto.Message) {
	t.Helper()
	data, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	r.publishBytes(t, subject, data)
}

func (r *rig) publishBytes(t *testing.T, subject string, data []byte) {
	t.Helper()
	if err := r.publisher.Publish(subject, data); err != nil {
		t.Fatal(err)
	}
	if err := r.publisher.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
}

// publishEvent sends one event of a room.
func (r *rig) publishEvent(t *testing.T, room, seq int64) {
	t.Helper()
	r.publish(t, subject.Room(room), envelope(roomRef(room), message(room, seq)))
}

func roomRef(id int64) *chatv1.LogRef {
	return &chatv1.LogRef{Log: &chatv1.LogRef_ChatRoomId{ChatRoomId: id}}
}

func userRef(id string) *chatv1.LogRef { return &chatv1.LogRef{Log: &chatv1.LogRef_UserId{UserId: id}} }

func envelope(log *chatv1.LogRef, events ...*chatv1.Event) *chatv1.Envelope {
	return &chatv1.Envelope{Log: log, Events: events}
}

func message(log, seq int64) *chatv1.Event {
	return &chatv1.Event{
		Seq: seq, Kind: chatv1.EventKind_EVENT_KIND_MESSAGE, UserId: "bob",
		MessageId: fmt.Sprintf("%d-%d", log, seq), Json: []byte(`{"event":"MESSAGE"}`),
	}
}

// delivery is one call of the hub.
type delivery struct {
	log    event.Log
	copyTo string // for live copies
	events []event.Event
	heads  []event.Head
}

// recorder is a hub that keeps what it is given.
type recorder struct {
	deliveries chan delivery
	resyncs    chan struct{}
	gate       chan struct{} // Deliver waits until it is closed
	open       sync.Once
	covered    atomic.Bool  // what Covered says
	passed     atomic.Int64 // newest that it was told
}

func newRecorder() *recorder {
	r := newBlockedRecorder()
	r.release()
	return r
}

// newBlockedRecorder returns a recorder whose Deliver blocks until release, as a hub's must not.
func newBlockedRecorder() *recorder {
	return &recorder{
		deliveries: make(chan delivery, 100_000),
		resyncs:    make(chan struct{}, 100_000),
		gate:       make(chan struct{}),
	}
}

func (r *recorder) release() { r.open.Do(func() { close(r.gate) }) }

func (r *recorder) Deliver(log event.Log, events []event.Event) {
	<-r.gate
	r.deliveries <- delivery{log: log, events: events}
}

func (r *recorder) DeliverCopy(user string, room int64, events []event.Event) {
	r.deliveries <- delivery{log: event.Log{Room: room}, copyTo: user, events: events}
}

func (r *recorder) Covered(_ string, _, newest int64, _ int) bool {
	r.passed.Store(newest)
	return r.covered.Load()
}

func (r *recorder) Heads(heads []event.Head) { r.deliveries <- delivery{heads: heads} }

func (r *recorder) Resync() { r.resyncs <- struct{}{} }

func (r *recorder) next(t *testing.T) delivery {
	t.Helper()
	select {
	case d := <-r.deliveries:
		return d
	case <-time.After(patience):
		t.Fatal("nothing is delivered")
		return delivery{}
	}
}

func (r *recorder) wantResync(t *testing.T) {
	t.Helper()
	select {
	case <-r.resyncs:
	case <-time.After(patience):
		t.Fatal("no resync")
	}
}

// eventually polls until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not true in %v: %s", patience, what)
		}
		<-time.After(2 * time.Millisecond)
	}
}
