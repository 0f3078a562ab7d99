package hub_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/hub"
)

// Sessions come and go on real threads while events flow from several publishers: what a sink got is a stretch of the
// log, nothing comes after Unsubscribe, and no interest is left over.
func TestComingAndGoingUnderTraffic(t *testing.T) {
	t.Parallel()
	st, fd := newStore(), newFeed()
	fd.loss, fd.double = 5, 5
	h := hub.New(hub.Options{
		Interest: fd, Logs: st,
		Tuning: hub.Tuning{Linger: -1, HoleGrace: time.Millisecond, HeadsGrace: time.Millisecond, Recent: 8},
	})
	fd.hub = h
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); h.Run(ctx) }()

	quiet := make(chan struct{})
	var publishers, sessions sync.WaitGroup
	for id := int64(1); id <= 2; id++ {
		for range 2 {
			publishers.Go(func() {
				for {
					select {
					case <-quiet:
						return
					case <-time.After(20 * time.Microsecond):
						fd.publish(room(id), st.add(room(id), 1)...)
					}
				}
			})
		}
	}
	for i := range 8 {
		sessions.Go(func() {
			for n := range 1250 {
				log := room(int64(n%2) + 1)
				if err := comeAndGo(ctx, h, log, newSink(fmt.Sprint(i)), n%3 == 0); err != nil {
					t.Errorf("session %d, round %d: %v", i, n, err)
					return
				}
			}
		})
	}
	sessions.Wait()
	close(quiet)
	publishers.Wait()
	deadline := time.After(10 * time.Second)
	for live, _ := fd.interests(); live > 0; live, _ = fd.interests() {
		select {
		case <-deadline:
			t.Fatalf("%d interests left over", live)
		case <-time.After(time.Millisecond):
		}
	}
	if _, wrong := fd.interests(); len(wrong) > 0 {
		t.Errorf("wrong calls of the interest: %v", wrong)
	}
	stop()
	<-ended
}

// comeAndGo subscribes, leaves, perhaps in the middle of the join, and checks what came.
func comeAndGo(ctx context.Context, h *hub.Hub, log event.Log, s *sink, hasty bool) error {
	joinCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- outcome(h.Subscribe(joinCtx, "alice", log, -1, s)) }()
	if !hasty {
		if err := <-result; err != nil {
			return err
		}
	}
	cancel()
	h.Unsubscribe(log, s)
	s.close()
	if hasty {
		if err := <-result; err == nil {
			h.Unsubscribe(log, s)
		}
	}
	if _, late := s.state(); late > 0 {
		return fmt.Errorf("%d deliveries after Unsubscribe had returned", late)
	}
	seqs := s.seqs()
	for i := range seqs {
		if seqs[i] != seqs[0]+int64(i) {
			return fmt.Errorf("got %v, which is no stretch of a log", slices.Clip(seqs))
		}
	}
	return nil
}
