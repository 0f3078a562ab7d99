package relay_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/relay"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// crowd is how many subscriptions come at once: room i is asked for, and odd rooms are closed.
const crowd = 300

// crowded is a service that answers by the room. It holds single calls back until the crowd is there.
type crowded struct {
	double
	arrived       chan struct{}
	singles, many atomic.Int64
	largest       atomic.Int64
}

func newCrowded(hasMany bool) *crowded {
	c := &crowded{arrived: make(chan struct{})}
	c.subscribe = func(ctx context.Context, in *chatv1.SubscribeRequest) (*chatv1.SubscribeResponse, error) {
		c.singles.Add(1)
		select {
		case <-c.arrived:
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
		if room := in.GetLog().GetChatRoomId(); room%2 == 0 {
			return &chatv1.SubscribeResponse{HeadSeq: room}, nil
		}
		return nil, status.Error(codes.PermissionDenied, "closed")
	}
	if hasMany {
		c.double.many = c.answerMany
	}
	return c
}

func (c *crowded) answerMany(
	_ context.Context, in *chatv1.SubscribeManyRequest,
) (*chatv1.SubscribeManyResponse, error) {
	c.many.Add(1)
	c.largest.Store(max(c.largest.Load(), int64(len(in.GetRequests()))))
	out := &chatv1.SubscribeManyResponse{}
	for _, one := range in.GetRequests() {
		outcome := &chatv1.SubscribeOutcome{Refusal: &chatv1.Refusal{Reason: chatv1.Reason_REASON_FORBIDDEN}}
		if room := one.GetLog().GetChatRoomId(); room%2 == 0 {
			outcome = &chatv1.SubscribeOutcome{Response: &chatv1.SubscribeResponse{HeadSeq: room}}
		}
		out.Outcomes = append(out.Outcomes, outcome)
	}
	return out, nil
}

// TestACrowdSubscribesTogether: everybody gets the own answer, by few calls; and by single ones from a replica that does
// not know how to answer many.
func TestACrowdSubscribesTogether(t *testing.T) {
	t.Parallel()
	for name, hasMany := range map[string]bool{"together": true, "a replica of the release before": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := newCrowded(hasMany)
			r := newRig(t, &service.double, relay.Options{})
			var began, all sync.WaitGroup
			for room := range int64(crowd) {
				began.Add(1)
				all.Go(func() {
					began.Done()
					checkAnswer(t, r.relay, room)
				})
			}
			began.Wait()
			close(service.arrived)
			all.Wait()
			if hasMany && (service.many.Load() == 0 || service.singles.Load()+service.many.Load() > crowd/2) {
				t.Errorf("%d single calls and %d for many, want few", service.singles.Load(), service.many.Load())
			}
			if service.largest.Load() > 64 {
				t.Errorf("%d subscriptions in one call, want at most 64", service.largest.Load())
			}
			if !hasMany && service.singles.Load() < crowd {
				t.Errorf("%d single calls, want one for each of %d", service.singles.Load(), crowd)
			}
		})
	}
}

func checkAnswer(t *testing.T, r *relay.Relay, room int64) {
	snapshot, err := r.Subscribe(t.Context(), "alice", event.Log{Room: room}, -1)
	var refused *event.Error
	switch {
	case room%2 == 0 && (err != nil || snapshot.Head != room):
		t.Errorf("room %d: head %d, %v", room, snapshot.Head, err)
	case room%2 == 1 && (!errors.As(err, &refused) || refused.Code != event.Forbidden):
		t.Errorf("room %d is closed: %v, want FORBIDDEN", room, err)
	}
}

// TestASubscriberWhoLeavesIsNotKept: the end of a caller's context ends the wait, and no one else's.
func TestASubscriberWhoLeavesIsNotKept(t *testing.T) {
	t.Parallel()
	service := newCrowded(true)
	r := newRig(t, &service.double, relay.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	left, stayed := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := r.relay.Subscribe(ctx, "alice", event.Log{Room: 2}, -1)
		left <- err
	}()
	go func() {
		_, err := r.relay.Subscribe(t.Context(), "bob", event.Log{Room: 2}, -1)
		stayed <- err
	}()
	cancel()
	if err := wait(t, left, "the one who left"); err == nil {
		t.Error("the one who left has an answer")
	}
	close(service.arrived)
	if err := wait(t, stayed, "the one who stayed"); err != nil {
		t.Errorf("the one who stayed: %v", err)
	}
}

// TestAnIncompleteAnswerIsNobodys: a service that answers fewer than were asked must not mix answers up.
func TestAnIncompleteAnswerIsNobodys(t *testing.T) {
	t.Parallel()
	service := newCrowded(true)
	service.double.many = func(context.Context, *chatv1.SubscribeManyRequest) (*chatv1.SubscribeManyResponse, error) {
		service.many.Add(1)
		return &chatv1.SubscribeManyResponse{}, nil
	}
	r := newRig(t, &service.double, relay.Options{})
	var refused atomic.Int64
	var all sync.WaitGroup
	for range crowd {
		all.Go(func() {
			_, err := r.relay.Subscribe(t.Context(), "alice", event.Log{Room: 2}, -1)
			if told := new(event.Error); errors.As(err, &told) && told.Code == event.Internal {
				refused.Add(1)
			}
		})
	}
	close(service.arrived)
	all.Wait()
	if calls := service.many.Load(); calls > 0 && refused.Load() == 0 || calls == 0 {
		t.Errorf("%d incomplete answers, and %d were told", calls, refused.Load())
	}
}
