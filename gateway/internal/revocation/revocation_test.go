package revocation_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/principal"
	"github.com/fliliy/chat/gateway/internal/revocation"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
	"github.com/fliliy/chat/proto/subject"
)

// source is a chat service: what it keeps, in pages of two.
type source struct {
	mu    sync.Mutex
	kept  []principal.Revocation
	away  bool
	asked int
}

func (s *source) Revocations(_ context.Context, after int64) ([]principal.Revocation, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.away {
		return nil, 0, errors.New("away")
	}
	var page []principal.Revocation
	var head int64
	for _, r := range s.kept {
		if r.Number > after && len(page) < 2 {
			page = append(page, r)
		}
		head = max(head, r.Number)
	}
	return page, head, nil
}

func (s *source) set(away bool, kept ...principal.Revocation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away, s.kept = away, kept
}

func (s *source) questions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// sessions notes whose sessions were to be ended.
type sessions struct {
	mu    sync.Mutex
	ended []string
}

func (s *sessions) Revoke(r *principal.Revocation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, r.User)
}

func (s *sessions) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.ended...)
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func revoked(number int64, user string, before time.Time) principal.Revocation {
	return principal.Revocation{Number: number, User: user, IssuedBefore: before, Until: before.Add(time.Hour)}
}

// bubble runs a list in a bubble of time; NATS is never there.
func bubble(t *testing.T, src *source, test func(t *testing.T, list *revocation.List, ended *sessions)) {
	t.Helper()
	nc, err := nats.Connect("nats://127.0.0.1:1", nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	synctest.Test(t, func(t *testing.T) {
		list, ended := revocation.New(src, slog.New(slog.DiscardHandler)), &sessions{}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- list.Run(ctx, nc, ended) }()
		test(t, list, ended)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// check compares what Check says of a token: "" is good.
func check(t *testing.T, list *revocation.List, user string, issued time.Time, want event.Code) {
	t.Helper()
	var code event.Code
	if err := list.Check(t.Context(), principal.Principal{User: user, Issued: issued}); err != nil {
		var refused *event.Error
		if !errors.As(err, &refused) {
			t.Fatalf("Check = %v, want *event.Error", err)
		}
		code = refused.Code
	}
	if code != want {
		t.Errorf("Check(%s, %v) = %q, want %q", user, issued, code, want)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	src := &source{}
	src.set(false, revoked(1, "alice", noon), revoked(2, "bob", noon), revoked(5, "carol", noon))
	bubble(t, src, func(t *testing.T, list *revocation.List, ended *sessions) {
		check(t, list, "alice", noon.Add(-time.Second), event.Unauthenticated)
		check(t, list, "alice", time.Time{}, event.Unauthenticated) // who does not say when
		check(t, list, "alice", noon, "")
		check(t, list, "carol", noon.Add(-time.Second), event.Unauthenticated) // of the second page
		check(t, list, "dave", time.Time{}, "")
		if got := ended.list(); len(got) != 3 {
			t.Errorf("sessions ended: %v, want those of three users", got)
		}
		if err := list.Ready(t.Context()); err != nil {
			t.Errorf("Ready = %v", err)
		}
	})
}

// Without NATS a revocation takes effect by the poll, and is kept while the chat service is away.
func TestThePollBringsWhatNATSDoesNot(t *testing.T) {
	t.Parallel()
	src := &source{}
	bubble(t, src, func(t *testing.T, list *revocation.List, ended *sessions) {
		check(t, list, "alice", noon, "")
		src.set(false, revoked(1, "alice", noon.Add(time.Hour)))
		pass(7 * time.Second)
		check(t, list, "alice", noon, event.Unauthenticated)
		if got := ended.list(); len(got) != 1 || got[0] != "alice" {
			t.Errorf("sessions ended: %v, want alice's", got)
		}
		src.set(true)
		pass(time.Hour)
		check(t, list, "alice", noon, event.Unauthenticated)
		check(t, list, "bob", noon, "")
		// One that reaches less far takes nothing back, one that reaches further ends sessions once more.
		src.set(false, revoked(2, "alice", noon), revoked(3, "alice", noon.Add(2*time.Hour)))
		pass(7 * time.Second)
		check(t, list, "alice", noon.Add(time.Hour), event.Unauthenticated)
		if got := ended.list(); len(got) != 2 {
			t.Errorf("sessions ended: %v, want alice's twice", got)
		}
	})
}

// A database that was put back to an older state counts anew, below what this gateway has seen.
func TestNumbersThatBeginAnew(t *testing.T) {
	t.Parallel()
	src := &source{}
	src.set(false, revoked(90, "alice", noon))
	bubble(t, src, func(t *testing.T, list *revocation.List, _ *sessions) {
		check(t, list, "alice", noon.Add(-1), event.Unauthenticated)
		src.set(false, revoked(3, "bob", noon))
		pass(7 * time.Second)
		check(t, list, "bob", noon.Add(-1), event.Unauthenticated)
		check(t, list, "alice", noon.Add(-1), event.Unauthenticated) // what was known is kept
	})
}

// Who is revoked is not known before the list has been read: nobody gets in.
func TestClosedUntilTheFirstList(t *testing.T) {
	t.Parallel()
	src := &source{away: true}
	bubble(t, src, func(t *testing.T, list *revocation.List, _ *sessions) {
		check(t, list, "alice", noon, event.Unavailable)
		if list.Ready(t.Context()) == nil {
			t.Error("ready without a list")
		}
		src.set(false)
		check(t, list, "alice", noon, "") // it waits for the list
	})
}

func TestWhatIsOfNoUseIsForgotten(t *testing.T) {
	t.Parallel()
	src := &source{}
	bubble(t, src, func(t *testing.T, list *revocation.List, _ *sessions) {
		src.set(false, revoked(1, "alice", time.Now()))
		pass(7 * time.Second)
		check(t, list, "alice", time.Time{}, event.Unauthenticated)
		src.set(false)
		pass(2 * time.Hour)
		check(t, list, "alice", time.Time{}, "")
	})
}

// The control subject brings the question forward; what it says is not believed, and not repeated for old news.
func TestTheControlSubject(t *testing.T) {
	t.Parallel()
	broker, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	broker.Start()
	defer broker.Shutdown()
	if !broker.ReadyForConnections(patience) {
		t.Fatal("no NATS server")
	}
	nc, err := nats.Connect(broker.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	src := &source{}
	list, ended := revocation.New(src, slog.New(slog.DiscardHandler)), &sessions{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- list.Run(ctx, nc, ended) }()
	eventually(t, "the list is read", func() bool { return list.Ready(ctx) == nil })

	src.set(false, revoked(7, "alice", noon))
	tell := func(data []byte) {
		if err := nc.Publish(subject.Control, data); err != nil {
			t.Fatal(err)
		}
	}
	hint, err := proto.Marshal(&chatv1.Control{Revocation: 7})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range 3 {
		tell([]byte("garbage"))
		tell(hint)
	}
	eventually(t, "alice is revoked", func() bool {
		return list.Check(ctx, principal.Principal{User: "alice"}) != nil
	})
	asked := src.questions()
	tell(hint)
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
	if polls := int(time.Since(began) / (5 * time.Second)); src.questions() > asked+2+polls {
		t.Errorf("%d questions for old news", src.questions()-asked)
	}
}

const patience = 30 * time.Second

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not so after %v: %s", patience, what)
		}
	}
}
