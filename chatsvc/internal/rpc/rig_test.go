package rpc_test

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/commit"
	"github.com/fliliy/chat/chatsvc/internal/metrics"
	"github.com/fliliy/chat/chatsvc/internal/rpc"
	"github.com/fliliy/chat/chatsvc/internal/store/sqlite"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
	"github.com/fliliy/chat/proto/identity"
)

// patience is how long a test waits for something that must happen.
const patience = time.Minute

// backStore is what the use cases need of a store; tests put a faulty one in front of the real one.
type backStore interface {
	chat.RoomStore
	chat.LogStore
	chat.MarkStore
	chat.RevocationStore
	chat.CircleStore
}

// setup is how a rig differs from the usual one.
type setup struct {
	options  rpc.Options
	logger   *slog.Logger
	faulty   func(backStore) backStore
	appender func(chat.Appender) chat.Appender
}

// rig is a server over real use cases on SQLite, and a client of it.
type rig struct {
	tb      testing.TB
	server  *rpc.Server
	conn    *grpc.ClientConn
	chat    chatv1.ChatServiceClient
	relay   chatv1.RelayServiceClient
	posted  *postbox
	metrics *metrics.Metrics
}

func newRig(tb testing.TB, s setup) *rig {
	tb.Helper()
	store, err := sqlite.Open(tb.Context(), filepath.Join(tb.TempDir(), "chat.db"), sqlite.Options{BusyTimeout: patience})
	if err != nil {
		tb.Fatalf("open store: %v", err)
	}
	tb.Cleanup(store.Close)
	posted := &postbox{}
	scribe := commit.New(store, posted, commit.Options{Patience: patience})
	runUntilEnd(tb, scribe.Run)
	r := &rig{tb: tb, posted: posted, metrics: metrics.New(prometheus.NewRegistry())}
	r.serve(s, store, scribe)
	return r
}

func (r *rig) serve(s setup, store backStore, appender chat.Appender) {
	if s.faulty != nil {
		store = s.faulty(store)
	}
	if s.appender != nil {
		appender = s.appender(appender)
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	marks := chat.NewMarks(store, r.posted)
	r.server = rpc.New(rpc.Deps{
		Rooms: chat.NewRooms(store, r.posted), Messages: chat.NewMessages(appender, store), Marks: marks,
		Logs: chat.NewLogs(store, marks), Inbox: chat.NewInbox(appender, store),
		Revoked:  chat.NewRevocations(store, r.posted, time.Hour),
		Statuses: chat.NewStatuses(store, r.posted, nil),
		Logger:   s.logger, Metrics: r.metrics.Counter,
	}, s.options)
	listener := bufconn.Listen(1 << 20)
	served := make(chan error, 1)
	go func() { served <- r.server.Serve(listener) }()
	r.tb.Cleanup(func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		r.server.Stop(now)
		if err := <-served; err != nil {
			r.tb.Errorf("Serve: %v", err)
		}
	})
	conn, err := grpc.NewClient("passthrough:///chatsvc", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		r.tb.Fatalf("dial: %v", err)
	}
	r.tb.Cleanup(func() { _ = conn.Close() })
	r.conn, r.chat, r.relay = conn, chatv1.NewChatServiceClient(conn), chatv1.NewRelayServiceClient(conn)
}

// runUntilEnd runs a part until the test ends.
func runUntilEnd(tb testing.TB, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("Run: %v", err)
		}
	})
}

// as acts in a user's name, with a deadline.
func (r *rig) as(user string) context.Context {
	return identity.WithUser(r.ctx(), user)
}

func (r *rig) ctx() context.Context {
	ctx, cancel := context.WithTimeout(r.tb.Context(), patience)
	r.tb.Cleanup(cancel)
	return ctx
}

// room makes a room of alice, who owns it, and others.
func (r *rig) room(name string, others ...string) int64 {
	r.tb.Helper()
	out, err := r.chat.CreateRoom(r.as("alice"), &chatv1.CreateRoomRequest{Name: name, MemberIds: others})
	if err != nil {
		r.tb.Fatalf("create room: %v", err)
	}
	return out.GetRoom().GetChatRoomId()
}

func (r *rig) say(user string, room int64, content string) int64 {
	r.tb.Helper()
	out, err := r.chat.SendMessage(r.as(user), &chatv1.SendMessageRequest{ChatRoomId: room, Content: content})
	if err != nil {
		r.tb.Fatalf("send: %v", err)
	}
	return out.GetSeq()
}

// history returns all that was ever said in a room.
func (r *rig) history(user string, room int64) []*chatv1.Event {
	r.tb.Helper()
	out, err := r.chat.ListMessages(r.as(user), &chatv1.ListMessagesRequest{ChatRoomId: room, AfterSeq: new(int64), Limit: 1000})
	if err != nil {
		r.tb.Fatalf("list messages: %v", err)
	}
	return out.GetEvents()
}

// postbox is a publisher that keeps what it is given.
type postbox struct {
	mu     sync.Mutex
	events []chat.Event
	herald []int64 // numbers of revocations
}

func (p *postbox) Publish(events []chat.Event, _ map[int64][]string) {
	p.mu.Lock()
	p.events = append(p.events, events...)
	p.mu.Unlock()
}

func (p *postbox) Offer(events []chat.Event) bool {
	p.Publish(events, nil)
	return true
}

func (p *postbox) Revoked(number int64) {
	p.mu.Lock()
	p.herald = append(p.herald, number)
	p.mu.Unlock()
}

func (p *postbox) all() []chat.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]chat.Event(nil), p.events...)
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
