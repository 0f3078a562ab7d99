package hub_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/hub"
)

// rig is a running hub between doubles that are quick and lose nothing unless told to.
type rig struct {
	*hub.Hub
	store *store
	feed  *feed
}

// inBubble runs a test on a rig, in a bubble whose goroutines must all have ended afterwards.
func inBubble(t *testing.T, tuning hub.Tuning, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{store: newStore(), feed: newFeed()}
		r.Hub = hub.New(hub.Options{Interest: r.feed, Logs: r.store, Tuning: tuning})
		r.feed.hub = r.Hub
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); r.Run(ctx) }()
		test(t, r)
		stop()
		<-ended
		if _, wrong := r.feed.interests(); len(wrong) > 0 {
			t.Errorf("wrong calls of the interest: %v", wrong)
		}
	})
}

// join subscribes a new sink, which must work.
func (r *rig) join(t *testing.T, user string, log event.Log, lastSeq int64) *sink {
	t.Helper()
	s := newSink("session of " + user)
	if _, err := r.Subscribe(t.Context(), user, log, lastSeq, s); err != nil {
		t.Fatalf("Subscribe(%s, %v) = %v", user, log, err)
	}
	return s
}

func wantSeqs(t *testing.T, s *sink, want ...int64) {
	t.Helper()
	if got := s.seqs(); !slices.Equal(got, want) {
		t.Errorf("the sink got events %v, want %v", got, want)
	}
}

func wantCode(t *testing.T, err error, want event.Code) {
	t.Helper()
	var refused *event.Error
	if !errors.As(err, &refused) || refused.Code != want {
		t.Errorf("error = %v, want code %s", err, want)
	}
}

// pass lets time go by in the bubble, and everything due happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// outcome is how a Subscribe ended, for those who need no more.
func outcome(_ event.Joined, err error) error { return err }
