package relay_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/fliliy/chat/gateway/internal/relay"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// replica is a chat service on a real port that wants its connections to be made anew all the time.
type replica struct {
	addr        string
	connections atomic.Int64
	streams     atomic.Int64
	commands    atomic.Int64
}

func startReplica(t *testing.T, age time.Duration) *replica {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{addr: listener.Addr().String()}
	server := grpc.NewServer(grpc.StatsHandler(r), grpc.KeepaliveParams(keepalive.ServerParameters{
		MaxConnectionAge: age, MaxConnectionAgeGrace: 2 * time.Second,
	}))
	answer := answering(func(c *chatv1.RelayCommand) *chatv1.RelayResult {
		r.commands.Add(1)
		return storeAll(c)
	})
	chatv1.RegisterRelayServiceServer(server, &double{relay: func(s stream) error {
		r.streams.Add(1)
		return answer(s)
	}})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("serve the replica: %v", err)
		}
	})
	return r
}

// replica counts connections as a stats.Handler.

func (r *replica) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (r *replica) HandleRPC(context.Context, stats.RPCStats)                         {}
func (r *replica) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (r *replica) HandleConn(_ context.Context, s stats.ConnStats) {
	if _, begins := s.(*stats.ConnBegin); begins {
		r.connections.Add(1)
	}
}

// traffic submits messages that cannot be sent twice, two at a time, until a condition holds. None may fail.
func traffic(t *testing.T, r *relay.Relay, until func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for n := 0; !until(); n++ {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
		one, two := submit(t, r, anonymous(1, fmt.Sprint(n))), submit(t, r, anonymous(2, fmt.Sprint(n)))
		if err := errors.Join(wait(t, one, "the answer").err, wait(t, two, "the answer").err); err != nil {
			t.Fatalf("messages %d: %v", n, err)
		}
		if err := r.Ready(); err != nil {
			t.Fatalf("not ready after message %d: %v", n, err)
		}
	}
}

// A connection that the service ends in good order (GOAWAY, MaxConnectionAge) costs no command: the stream has moved on
// before the grace is over.
func TestConnectionsOfLimitedAge(t *testing.T) {
	t.Parallel()
	service := startReplica(t, 300*time.Millisecond)
	cc, err := relay.Dial(service.addr, relay.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	r := relay.New(cc, relay.Options{Life: 100 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	defer run(t, r)()
	traffic(t, r, func() bool { return service.connections.Load() >= 12 })
	if service.streams.Load() < service.connections.Load() {
		t.Errorf("%d streams on %d connections, want at least one each", service.streams.Load(), service.connections.Load())
	}
}

// Replicas that come later are found when the age of a connection ends, without a restart.
func TestNewReplicasAreFound(t *testing.T) {
	t.Parallel()
	first, second := startReplica(t, 200*time.Millisecond), startReplica(t, 0)
	both := resolver.State{Addresses: []resolver.Address{{Addr: first.addr}, {Addr: second.addr}}}
	names := manual.NewBuilderWithScheme("replicas")
	names.InitialState(resolver.State{Addresses: both.Addresses[:1]})
	names.ResolveNowCallback = func(resolver.ResolveNowOptions) { go names.UpdateState(both) }
	cc, err := relay.Dial("replicas:///chatsvc", relay.DialOptions{Extra: []grpc.DialOption{grpc.WithResolvers(names)}})
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	r := relay.New(cc, relay.Options{Life: 100 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	defer run(t, r)()
	traffic(t, r, func() bool { return first.commands.Load() > 0 && second.commands.Load() > 0 })
}

// A replica that leaves in good order says that what it has not answered had no effect: all of it goes to the next.
func TestReplicaLeavesInGoodOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		end    error
		stored bool // what was not answered
	}{
		{"with the service's word", leaving(t, "fliliy.chat"), true},
		{"with the word of something else", leaving(t, "proxy.example"), false},
		{"without a word", status.Error(codes.Unavailable, "transport is closing"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var streams atomic.Int32
			r := newRig(t, &double{relay: func(s stream) error {
				if streams.Add(1) > 1 {
					return answering(storeAll)(s)
				}
				request, err := s.Recv()
				if err != nil {
					return err
				}
				first := request.GetCommands()[0]
				if err := s.Send(&chatv1.RelayResponse{Results: []*chatv1.RelayResult{storeAll(first)}}); err != nil {
					return err
				}
				if err := swallow(s, 3-len(request.GetCommands())); err != nil {
					return err
				}
				return c.end
			}}, relay.Options{Timeout: patience})
			for n := range 3 {
				got := submit(t, r.relay, anonymous(1, fmt.Sprint(n)))
				defer func() {
					if o := wait(t, got, "the outcome"); (o.err == nil) != (c.stored || n == 0) {
						t.Errorf("message %d ended with %v", n, o.err)
					}
				}()
			}
		})
	}
}

// leaving is how a replica ends its streams.
func leaving(t *testing.T, domain string) error {
	t.Helper()
	said, err := status.New(codes.Unavailable, "this replica ends the stream").WithDetails(
		&errdetails.ErrorInfo{Reason: "UNAVAILABLE", Domain: domain})
	if err != nil {
		t.Fatal(err)
	}
	return said.Err()
}
