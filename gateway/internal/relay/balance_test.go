package relay_test

import (
	"context"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/relay"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// listen serves a double on a real port.
func listen(t *testing.T, d *double) resolver.Address {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	chatv1.RegisterRelayServiceServer(server, d)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("serve the double: %v", err)
		}
	})
	return resolver.Address{Addr: listener.Addr().String()}
}

// reader answers reads, or freezes.
func reader(calls *atomic.Int32, frozen bool) *double {
	return &double{
		relay: answering(storeAll),
		readLog: func(ctx context.Context, _ *chatv1.ReadLogRequest) (*chatv1.ReadLogResponse, error) {
			calls.Add(1)
			if frozen {
				<-ctx.Done()
				return nil, status.FromContextError(ctx.Err()).Err()
			}
			return &chatv1.ReadLogResponse{HeadSeq: 9}, nil
		},
	}
}

// TestFrozenReplicasAreLeftOut reads many times from two replicas.
func TestFrozenReplicasAreLeftOut(t *testing.T) {
	t.Parallel()
	const reads = 60
	for _, tc := range []struct {
		name        string
		frozen      bool  // the first of them
		least, most int32 // reads at the first
	}{
		{"one frozen", true, 0, reads / 4},
		{"none frozen", false, reads / 3, reads * 2 / 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var one, other atomic.Int32
			names := manual.NewBuilderWithScheme("replicas")
			names.InitialState(resolver.State{Addresses: []resolver.Address{
				listen(t, reader(&one, tc.frozen)), listen(t, reader(&other, false)),
			}})
			cc, err := relay.Dial("replicas:///chatsvc", relay.DialOptions{Extra: []grpc.DialOption{grpc.WithResolvers(names)}})
			if err != nil {
				t.Fatal(err)
			}
			defer cc.Close()
			r := relay.New(cc, relay.Options{Timeout: 4 * time.Second, Logger: slog.New(slog.DiscardHandler)})
			defer run(t, r)()
			read := func() {
				if _, head, err := r.ReadLog(t.Context(), event.Log{Room: 42}, 8, 0); err != nil || head != 9 {
					t.Fatalf("head %d, %v; want 9", head, err)
				}
			}
			for one.Load() == 0 || other.Load() == 0 { // until both are connected
				read()
			}
			one.Store(0)
			other.Store(0)
			for range reads {
				read()
			}
			if n := one.Load(); n < tc.least || n > tc.most {
				t.Errorf("%d of %d reads at the first, want %d to %d", n, reads, tc.least, tc.most)
			}
		})
	}
}
