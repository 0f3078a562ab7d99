package hub_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/hub"
)

func TestSubscribeResumes(t *testing.T) {
	t.Parallel()
	alice := event.Log{User: "alice"}
	for _, c := range []struct {
		name    string
		log     event.Log
		stored  int
		lastSeq int64
		want    []int64
		gap     string // body of the first event
	}{
		{name: "from now on", log: room(42), stored: 3, lastSeq: -1},
		{name: "after the head", log: room(42), stored: 3, lastSeq: 3},
		{name: "beyond the head", log: room(42), stored: 3, lastSeq: 9},
		{name: "from the beginning", log: room(42), stored: 3, lastSeq: 0, want: []int64{1, 2, 3}},
		{name: "in the middle", log: alice, stored: 4, lastSeq: 2, want: []int64{3, 4}},
		{
			name: "a room with a gap", log: room(42), stored: 10, lastSeq: 2, want: []int64{0, 6, 7, 8, 9, 10},
			gap: `{"event":"GAP","chatRoomId":"42","fromSeq":3,"toSeq":5}`,
		},
		{
			name: "an inbox with a gap", log: alice, stored: 9, lastSeq: 0, want: []int64{0, 5, 6, 7, 8, 9},
			gap: `{"event":"GAP","fromSeq":1,"toSeq":4}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, hub.Tuning{}, func(t *testing.T, r *rig) {
				r.store.limit = 5
				r.store.add(c.log, c.stored)
				s := r.join(t, "alice", c.log, c.lastSeq)
				wantSeqs(t, s, c.want...)
				if c.gap != "" {
					if s.got[0].Kind != event.Gap || string(s.got[0].Frame.Body()) != c.gap {
						t.Errorf("first event %s %s, want GAP %s", s.got[0].Kind, s.got[0].Frame.Body(), c.gap)
					}
				}
				r.Deliver(c.log, r.store.add(c.log, 1))
				wantSeqs(t, s, append(c.want, int64(c.stored)+1)...)
			})
		})
	}
}

// The seam: events that come after the snapshot was taken and before the subscription is live.
func TestSubscribeWithTrafficAtTheSeam(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		others bool // somebody is live already
		during int  // events at the seam; Recent is 4
		lastly int64
		want   []int64
	}{
		{name: "first of the log", during: 3, lastly: -1, want: []int64{3, 4, 5}},
		{name: "first of the log, resumed", during: 3, lastly: 1, want: []int64{2, 3, 4, 5}},
		{name: "later", others: true, during: 3, lastly: -1, want: []int64{3, 4, 5}},
		{name: "later, resumed", others: true, during: 3, lastly: 0, want: []int64{1, 2, 3, 4, 5}},
		{name: "more than is remembered", others: true, during: 7, lastly: 1, want: []int64{2, 3, 4, 5, 6, 7, 8, 9}},
		{name: "more than is held", during: 7, lastly: 1, want: []int64{2, 3, 4, 5, 6, 7, 8, 9}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, hub.Tuning{Recent: 4, Hold: 4}, func(t *testing.T, r *rig) {
				r.store.add(room(1), 2)
				if c.others {
					r.join(t, "carol", room(1), -1)
				}
				r.store.onJoin = func(log event.Log) { r.Deliver(log, r.store.add(log, c.during)) }
				s := r.join(t, "alice", room(1), c.lastly)
				pass(time.Second)
				wantSeqs(t, s, c.want...)
			})
		})
	}
}

func TestSubscribeRefused(t *testing.T) {
	t.Parallel()
	t.Run("by the chat service: nothing stays", func(t *testing.T) {
		t.Parallel()
		inBubble(t, hub.Tuning{Linger: time.Hour}, func(t *testing.T, r *rig) {
			r.store.ban(room(1), "mallory")
			s := newSink("s")
			wantCode(t, outcome(r.Subscribe(t.Context(), "mallory", room(1), 0, s)), event.Forbidden)
			synctest.Wait()
			if live, _ := r.feed.interests(); live != 0 {
				t.Errorf("%d interests left after a refusal, want none, and no linger", live)
			}
			r.Deliver(room(1), r.store.add(room(1), 1))
			wantSeqs(t, s)
		})
	})
	t.Run("because the interest cannot be taken, and then it can", func(t *testing.T) {
		t.Parallel()
		inBubble(t, hub.Tuning{}, func(t *testing.T, r *rig) {
			r.feed.addErr = errors.New("broken pipe to 10.0.0.7")
			_, err := r.Subscribe(t.Context(), "alice", room(1), -1, newSink("s"))
			wantCode(t, err, event.Unavailable)
			synctest.Wait()
			r.feed.addErr = nil
			r.join(t, "alice", room(1), -1)
		})
	})
	t.Run("because the sink is there already, which stays", func(t *testing.T) {
		t.Parallel()
		inBubble(t, hub.Tuning{}, func(t *testing.T, r *rig) {
			s := r.join(t, "alice", room(1), -1)
			wantCode(t, outcome(r.Subscribe(t.Context(), "alice", room(1), -1, s)), event.Invalid)
			r.Deliver(room(1), r.store.add(room(1), 1))
			wantSeqs(t, s, 1)
			r.Unsubscribe(room(1), s)
			pass(time.Minute)
			if live, _ := r.feed.interests(); live != 0 {
				t.Errorf("%d interests left, want none", live)
			}
		})
	})
}

func TestSubscribeIsLeft(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		leave func(r *rig, s *sink, cancel context.CancelFunc)
		check func(t *testing.T, err error)
	}{
		{
			name:  "by Unsubscribe",
			leave: func(r *rig, s *sink, _ context.CancelFunc) { r.Unsubscribe(room(1), s) },
			check: func(t *testing.T, err error) { wantCode(t, err, event.Unavailable) },
		},
		{
			name:  "by the end of its context",
			leave: func(_ *rig, _ *sink, cancel context.CancelFunc) { cancel() },
			check: func(t *testing.T, err error) {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("error = %v, want context.Canceled", err)
				}
			},
		},
	} {
		for _, slow := range []string{"interest", "chat service"} {
			t.Run(c.name+" while waiting for the "+slow, func(t *testing.T) {
				t.Parallel()
				inBubble(t, hub.Tuning{CallTimeout: time.Hour}, func(t *testing.T, r *rig) {
					if slow == "interest" {
						r.feed.latency = time.Minute
					} else {
						r.store.latency = time.Minute
					}
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					s, result := newSink("s"), make(chan error)
					go func() { result <- outcome(r.Subscribe(ctx, "alice", room(1), 0, s)) }()
					synctest.Wait()
					started := time.Now()
					c.leave(r, s, cancel)
					c.check(t, <-result)
					if waited := time.Since(started); waited > 0 {
						t.Errorf("Subscribe returned after %v, want at once", waited)
					}
					r.Deliver(room(1), r.store.add(room(1), 1))
					pass(5 * time.Minute)
					wantSeqs(t, s)
					if live, _ := r.feed.interests(); live != 0 {
						t.Errorf("%d interests left, want none", live)
					}
				})
			})
		}
	}
}

func TestStopEndsJoins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st, fd := newStore(), newFeed()
		fd.latency = time.Hour
		h := hub.New(hub.Options{Interest: fd, Logs: st, Tuning: hub.Tuning{CallTimeout: time.Hour}})
		ctx, stop := context.WithCancel(t.Context())
		result := make(chan error)
		go func() { result <- outcome(h.Subscribe(t.Context(), "alice", room(1), -1, newSink("s"))) }()
		synctest.Wait()
		time.AfterFunc(time.Second, stop)
		go h.Run(ctx)
		wantCode(t, <-result, event.Unavailable)
		wantCode(t, outcome(h.Subscribe(t.Context(), "alice", room(2), -1, newSink("s"))), event.Unavailable)
	})
}

func TestInterestIsShared(t *testing.T) {
	t.Parallel()
	inBubble(t, hub.Tuning{Linger: time.Second}, func(t *testing.T, r *rig) {
		r.feed.latency = 10 * time.Millisecond
		const many = 50
		results, sinks := make(chan error, many), make([]*sink, many)
		for i := range sinks {
			sinks[i] = newSink("s")
			go func() { results <- outcome(r.Subscribe(t.Context(), "alice", room(1), -1, sinks[i])) }()
		}
		for range many {
			if err := <-results; err != nil {
				t.Fatal(err)
			}
		}
		for _, s := range sinks {
			r.Unsubscribe(room(1), s)
		}
		pass(900 * time.Millisecond)
		back := r.join(t, "alice", room(1), -1)
		pass(time.Minute)
		if r.feed.adds != 1 {
			t.Errorf("%d interests taken for one log, want 1", r.feed.adds)
		}
		r.Unsubscribe(room(1), back)
		pass(2 * time.Second)
		if live, _ := r.feed.interests(); live != 0 {
			t.Errorf("%d interests left after the last subscription and the linger, want none", live)
		}
	})
}
