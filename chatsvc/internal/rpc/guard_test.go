package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/rpc"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
	"github.com/fliliy/chat/proto/identity"
)

// faultyStore answers questions about members with a fault, once it is broken.
type faultyStore struct {
	backStore
	fault func(ctx context.Context) error
}

func (s *faultyStore) Member(ctx context.Context, room int64, user string) (chat.Member, error) {
	if err := s.fault(ctx); err != nil {
		return chat.Member{}, err
	}
	return s.backStore.Member(ctx, room, user)
}

func broken(fault func(context.Context) error) func(backStore) backStore {
	return func(next backStore) backStore { return &faultyStore{next, fault} }
}

// logBook is a writer for tests that read the log.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault  func(context.Context) error
		code   codes.Code
		told   string
		logged bool
		retry  bool
	}{
		"a fault of the store": {
			func(context.Context) error { return errors.New("disk at /var/secret is full") },
			codes.Internal, "INTERNAL: something went wrong on our side", true, false,
		},
		"a panic": {
			func(context.Context) error { panic("secret") },
			codes.Internal, "INTERNAL: something went wrong on our side", true, false,
		},
		"the database is away": {
			func(context.Context) error { return fmt.Errorf("dial secret: %w", chat.ErrTransient) },
			codes.Unavailable, "UNAVAILABLE: the database cannot be reached", true, true,
		},
		"too slow": {
			func(ctx context.Context) error { return context.DeadlineExceeded },
			codes.DeadlineExceeded, "UNAVAILABLE: it took too long", false, true,
		},
		"a refusal": {
			func(context.Context) error {
				return fmt.Errorf("wrapped: %w", &chat.Error{
					Code: chat.Unavailable, Message: "wait", ClientMessageID: "c1", RetryAfter: time.Second,
				})
			},
			codes.Unavailable, "UNAVAILABLE: wait", false, true,
		},
		"a refusal that is a fault": {
			func(context.Context) error { return &chat.Error{Code: chat.Internal, Message: "secret"} },
			codes.Internal, "INTERNAL: something went wrong on our side", true, false,
		},
		"a code nobody knows": {
			func(context.Context) error { return &chat.Error{Code: "STRANGE", Message: "secret"} },
			codes.Internal, "INTERNAL: something went wrong on our side", true, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &logBook{}
			r := newRig(t, setup{faulty: broken(tc.fault), logger: slog.New(slog.NewJSONHandler(log, nil))})
			_, err := r.chat.ListMembers(r.as("alice"), &chatv1.ListMembersRequest{ChatRoomId: 1})
			if status.Code(err) != tc.code || !strings.HasPrefix(told(err), tc.told) {
				t.Errorf("told %v %q, want %v %q", status.Code(err), told(err), tc.code, tc.told)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the caller learns too much: %v", err)
			}
			if got := retryDelay(err) > 0; got != tc.retry {
				t.Errorf("the caller is told when to try again: %v, want %v", got, tc.retry)
			}
			if lines := strings.Count(log.String(), "\n"); (lines == 1) != tc.logged || lines > 1 {
				t.Errorf("%d lines are logged, want one: %v\n%s", lines, tc.logged, log)
			}
			calls := r.metrics.Counter.Calls.WithLabelValues(chatv1.ChatService_ListMembers_FullMethodName, tc.code.String())
			if got := testutil.ToFloat64(calls); got != 1 {
				t.Errorf("the call is counted %v times", got)
			}
		})
	}
}

func retryDelay(err error) time.Duration {
	for _, detail := range status.Convert(err).Details() {
		if retry, ok := detail.(*errdetails.RetryInfo); ok {
			return retry.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

func TestFaultOnTheRelayStreamIsOfOneCommand(t *testing.T) {
	t.Parallel()
	panics := true
	var mu sync.Mutex
	r := newRig(t, setup{faulty: broken(func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if panics {
			panic("secret")
		}
		return nil
	})})
	room := r.room("the room", "bob")
	l := r.line()
	refusal := l.refused(l.send("bob", typing(room)))
	if refusal.GetReason() != chatv1.Reason_REASON_INTERNAL || strings.Contains(refusal.GetMessage(), "secret") {
		t.Errorf("refused as %v, want INTERNAL", refusal)
	}
	if got := testutil.ToFloat64(r.metrics.Counter.Panics); got != 1 {
		t.Errorf("%v panics counted, want 1", got)
	}
	mu.Lock()
	panics = false
	mu.Unlock()
	l.stored(l.send("bob", typing(room)))
}

func TestFaultsDoNotFloodTheLog(t *testing.T) {
	t.Parallel()
	log := &logBook{}
	r := newRig(t, setup{
		faulty: broken(func(context.Context) error { return errors.New("broken") }),
		logger: slog.New(slog.NewJSONHandler(log, nil)),
	})
	l := r.line()
	for range 1_000 {
		l.send("bob", typing(1))
	}
	for id := uint64(1); id <= 1_000; id++ {
		l.refused(id)
	}
	if lines := strings.Count(log.String(), "\n"); lines == 0 || lines > 100 {
		t.Errorf("%d lines are logged for 1,000 faults", lines)
	}
}

func TestCallsWithoutADeadlineGetOne(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{options: rpc.Options{CallTimeout: time.Millisecond}, faulty: broken(func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})})
	_, err := r.chat.ListMembers(identity.WithUser(context.Background(), "alice"), &chatv1.ListMembersRequest{ChatRoomId: 1})
	if status.Code(err) != codes.DeadlineExceeded || !strings.HasPrefix(told(err), "UNAVAILABLE: ") {
		t.Errorf("call without a deadline: %v, want DeadlineExceeded", err)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	client := healthv1.NewHealthClient(r.conn)
	for _, service := range []string{"", "fliliy.chat.v1.ChatService", "fliliy.chat.v1.RelayService"} {
		out, err := client.Check(r.ctx(), &healthv1.HealthCheckRequest{Service: service})
		if err != nil || out.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("health of %q: %v, %v", service, out.GetStatus(), err)
		}
	}
	watch, err := client.Watch(r.ctx(), &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := watch.Recv(); err != nil || out.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Fatalf("watch: %v, %v", out.GetStatus(), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r.server.Stop(ctx) // a watch that is open must not hold it up
	if ctx.Err() != nil {
		t.Error("the open health watch held up the stop")
	}
}

func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{options: rpc.Options{MaxMessage: 100 << 10}})
	l := r.line()
	l.send("bob", plain(1, strings.Repeat("x", 60<<10)), plain(1, strings.Repeat("x", 60<<10)))
	if err := <-l.ended; status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a request over the limit: %v, want ResourceExhausted", err)
	}
}
