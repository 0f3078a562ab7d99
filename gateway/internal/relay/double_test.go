package relay_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/relay"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// patience is how long a test waits for something that must happen.
const patience = 20 * time.Second

type stream = grpc.BidiStreamingServer[chatv1.RelayRequest, chatv1.RelayResponse]

// double is a scripted chat service. Functions that are nil answer UNIMPLEMENTED.
type double struct {
	chatv1.UnimplementedRelayServiceServer
	relay     func(stream) error
	subscribe func(context.Context, *chatv1.SubscribeRequest) (*chatv1.SubscribeResponse, error)
	many      func(context.Context, *chatv1.SubscribeManyRequest) (*chatv1.SubscribeManyResponse, error)
	readLog   func(context.Context, *chatv1.ReadLogRequest) (*chatv1.ReadLogResponse, error)
	readHeads func(context.Context, *chatv1.ReadHeadsRequest) (*chatv1.ReadHeadsResponse, error)
}

func (d *double) Relay(s stream) error {
	if d.relay == nil {
		return d.UnimplementedRelayServiceServer.Relay(s)
	}
	return d.relay(s)
}

func (d *double) Subscribe(ctx context.Context, in *chatv1.SubscribeRequest) (*chatv1.SubscribeResponse, error) {
	return d.subscribe(ctx, in)
}

func (d *double) SubscribeMany(
	ctx context.Context, in *chatv1.SubscribeManyRequest,
) (*chatv1.SubscribeManyResponse, error) {
	if d.many == nil {
		return d.UnimplementedRelayServiceServer.SubscribeMany(ctx, in)
	}
	return d.many(ctx, in)
}

func (d *double) ReadLog(ctx context.Context, in *chatv1.ReadLogRequest) (*chatv1.ReadLogResponse, error) {
	return d.readLog(ctx, in)
}

func (d *double) ReadHeads(ctx context.Context, in *chatv1.ReadHeadsRequest) (*chatv1.ReadHeadsResponse, error) {
	return d.readHeads(ctx, in)
}

// host is where doubles run: one address, at which a server may stand or not.
type host struct {
	mu       sync.Mutex
	listener *bufconn.Listener
	server   *grpc.Server
	stopped  chan struct{} // closed when server has ended
}

var errNobody = errors.New("nobody listens")

func (h *host) dial(ctx context.Context, _ string) (net.Conn, error) {
	h.mu.Lock()
	listener := h.listener
	h.mu.Unlock()
	if listener == nil {
		return nil, errNobody
	}
	return listener.DialContext(ctx)
}

func (h *host) start(tb testing.TB, d *double) {
	tb.Helper()
	server, listener, stopped := grpc.NewServer(), bufconn.Listen(1<<20), make(chan struct{})
	chatv1.RegisterRelayServiceServer(server, d)
	go func() {
		defer close(stopped)
		if err := server.Serve(listener); err != nil {
			tb.Errorf("serve the double: %v", err)
		}
	}()
	h.mu.Lock()
	h.listener, h.server, h.stopped = listener, server, stopped
	h.mu.Unlock()
	tb.Cleanup(func() {
		server.Stop()
		<-stopped
	})
}

// kill ends the server and all its connections at once.
func (h *host) kill() {
	h.mu.Lock()
	server, stopped := h.server, h.stopped
	h.listener = nil
	h.mu.Unlock()
	server.Stop()
	<-stopped
}

// rig is a relay on a host.
type rig struct {
	tb    testing.TB
	relay *relay.Relay
	host  *host
	stop  func() // ends Run and waits for it
}

func newRelay(tb testing.TB, h *host, opts relay.Options) *relay.Relay {
	tb.Helper()
	cc, err := relay.Dial("passthrough:///double", relay.DialOptions{
		Extra: []grpc.DialOption{grpc.WithContextDialer(h.dial)},
	})
	if err != nil {
		tb.Fatalf("dial: %v", err)
	}
	tb.Cleanup(func() { _ = cc.Close() })
	opts.Logger = slog.New(slog.DiscardHandler)
	return relay.New(cc, opts)
}

// run starts the relay's Run; stop ends it.
func run(tb testing.TB, r *relay.Relay) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("Run = %v, want nil", err)
		}
	})
	tb.Cleanup(stop)
	return stop
}

// newRig runs a relay against a double; nil: against an address where nobody listens yet.
func newRig(tb testing.TB, d *double, opts relay.Options) *rig {
	tb.Helper()
	opts.Timeout = cmp.Or(opts.Timeout, patience) // only what is about time-outs may see one on a busy machine
	h := &host{}
	if d != nil {
		h.start(tb, d)
	}
	r := newRelay(tb, h, opts)
	return &rig{tb: tb, relay: r, host: h, stop: run(tb, r)}
}

// outcome is what a done was called with.
type outcome struct {
	stored []action.Stored
	err    error
}

// submit hands over actions as alice and returns where the outcome will be. A second call of done fails the test.
func submit(tb testing.TB, r *relay.Relay, actions ...action.Action) <-chan outcome {
	tb.Helper()
	got := make(chan outcome, 1)
	r.Submit("alice", actions, func(stored []action.Stored, err error) {
		select {
		case got <- outcome{stored, err}:
		default:
			tb.Errorf("done was called twice for %d actions: now with %v, %v", len(actions), stored, err)
		}
	})
	return got
}

func wait[T any](tb testing.TB, c <-chan T, what string) T {
	tb.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		tb.Fatalf("waited %s in vain for %s", patience, what)
		panic("not reached")
	}
}

// refusal is the error of an outcome, which must be an *event.Error.
func refusal(tb testing.TB, o outcome) *event.Error {
	tb.Helper()
	var refused *event.Error
	if !errors.As(o.err, &refused) {
		tb.Fatalf("outcome %+v, want an *event.Error", o)
	}
	return refused
}

func say(room int64, body string) action.Action {
	return action.Action{Verb: action.Send, Room: room, ContentType: "application/json", Body: []byte(body)}
}

// named is a message with a clientMessageId; anonymous has none.
func named(room int64, id string) action.Action {
	return say(room, fmt.Sprintf(`{"content":"hi","clientMessageId":%q}`, id))
}

func anonymous(room int64, content string) action.Action {
	return say(room, fmt.Sprintf(`{"content":%q}`, content))
}

// storeAll is the result of a command all of whose actions are stored, at seqs that are the command's id.
func storeAll(c *chatv1.RelayCommand) *chatv1.RelayResult {
	result := &chatv1.RelayResult{Id: c.GetId()}
	for _, a := range c.GetActions() {
		id := strconv.FormatInt(a.GetChatRoomId(), 10) + "-" + strconv.FormatUint(c.GetId(), 10)
		result.Stored = append(result.Stored, &chatv1.Stored{MessageId: id, Seq: int64(c.GetId())}) //nolint:gosec // small
	}
	return result
}

// answering is a stream handler that answers every request with one response.
func answering(result func(*chatv1.RelayCommand) *chatv1.RelayResult) func(stream) error {
	return func(s stream) error {
		for {
			request, err := s.Recv()
			if errors.Is(err, io.EOF) {
				return nil // all is answered
			}
			if err != nil {
				return err
			}
			response := &chatv1.RelayResponse{}
			for _, c := range request.GetCommands() {
				response.Results = append(response.Results, result(c))
			}
			if err := s.Send(response); err != nil {
				return err
			}
		}
	}
}

// silent is a stream handler that reads and never answers.
func silent(s stream) error {
	for {
		if _, err := s.Recv(); err != nil {
			return err
		}
	}
}
