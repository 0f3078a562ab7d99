package hub_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/hub"
)

// What the chat service is asked for when somebody resumes: -1 is access and head only.
func TestResumeFromMemory(t *testing.T) {
	t.Parallel()
	edit := func(r *rig) { r.Deliver(room(1), []event.Event{r.store.edit(room(1), 4)}) }
	for _, c := range []struct {
		name   string
		tuning hub.Tuning
		then   func(r *rig) // after events 3 to 8 were delivered
		last   int64
		asked  int64
		want   []int64
	}{
		{name: "all that is kept", last: 2, asked: -1, want: []int64{3, 4, 5, 6, 7, 8}},
		{name: "some of it", last: 6, asked: -1, want: []int64{7, 8}},
		{name: "nothing missed", last: 8, asked: -1},
		{name: "more than is kept", last: 1, asked: 1, want: []int64{2, 3, 4, 5, 6, 7, 8}},
		{name: "beyond the position", last: 9, asked: 9},
		{name: "only the newest are kept", tuning: hub.Tuning{Recent: 4}, last: 3, asked: 3, want: []int64{4, 5, 6, 7, 8}},
		{name: "the newest", tuning: hub.Tuning{Recent: 4}, last: 6, asked: -1, want: []int64{7, 8}},
		{name: "no room for any", tuning: hub.Tuning{RecentBytes: 1}, last: 7, asked: 7, want: []int64{8}},
		{name: "before an edit", then: edit, last: 5, asked: 5, want: []int64{6, 7, 8, 9}},
		{name: "from an edit on", then: edit, last: 8, asked: -1, want: []int64{9}},
		{
			name: "an event this node has not got yet", then: func(r *rig) { r.store.add(room(1), 1) },
			last: 6, asked: -1, want: []int64{7, 8, 9},
		},
		{
			name: "an event from the hold", then: func(r *rig) { r.Deliver(room(1), r.store.add(room(1), 2)[1:]) },
			last: 6, asked: -1, want: []int64{7, 8, 9, 10},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, c.tuning, func(t *testing.T, r *rig) {
				r.store.add(room(1), 2)
				r.join(t, "bob", room(1), -1)
				r.Deliver(room(1), r.store.add(room(1), 6))
				if c.then != nil {
					c.then(r)
				}
				s := r.join(t, "alice", room(1), c.last)
				pass(time.Second)
				wantSeqs(t, s, c.want...)
				if asked := r.store.askedFor(); asked[len(asked)-1] != c.asked {
					t.Errorf("the chat service was asked for what came after %d, want %d", asked[len(asked)-1], c.asked)
				}
			})
		})
	}
}

// An edit that was lost on its way to this node: what is kept of the older events is stale, though nobody here knows.
func TestResumeDoesNotReplayWhatALostEditChanged(t *testing.T) {
	t.Parallel()
	inBubble(t, hub.Tuning{}, func(t *testing.T, r *rig) {
		r.join(t, "bob", room(1), -1)
		r.Deliver(room(1), r.store.add(room(1), 4))
		r.store.edit(room(1), 3)
		s := r.join(t, "alice", room(1), 2)
		pass(time.Second)
		wantSeqs(t, s, 3, 4, 5)
		if got := s.got[0].MessageID; got != changedID {
			t.Errorf("event 3 came as %q, want it as it is now", got)
		}
	})
}

// One who comes back within the linger finds what passed meanwhile; later, the node knows nothing.
func TestMemoryOutlivesTheLastSubscription(t *testing.T) {
	t.Parallel()
	inBubble(t, hub.Tuning{Linger: 10 * time.Second}, func(t *testing.T, r *rig) {
		s := r.join(t, "alice", room(1), -1)
		r.Deliver(room(1), r.store.add(room(1), 3))
		r.Unsubscribe(room(1), s)
		r.Deliver(room(1), r.store.add(room(1), 2))
		pass(9 * time.Second)
		back := r.join(t, "alice", room(1), 2)
		wantSeqs(t, back, 3, 4, 5)
		wantSeqs(t, s, 1, 2, 3)
		r.Unsubscribe(room(1), back)
		pass(11 * time.Second)
		wantSeqs(t, r.join(t, "alice", room(1), 2), 3, 4, 5)
		if want, got := []int64{-1, -1, 2}, r.store.askedFor(); !slices.Equal(got, want) {
			t.Errorf("the chat service was asked for %v, want %v", got, want)
		}
	})
}

// A node that is far behind asks the chat service, which says how much of it is to be replayed and how much is a GAP.
func TestResumeOnANodeThatIsFarBehind(t *testing.T) {
	t.Parallel()
	inBubble(t, hub.Tuning{Recent: 8}, func(t *testing.T, r *rig) {
		r.store.limit = 5
		r.join(t, "bob", room(1), -1)
		r.Deliver(room(1), r.store.add(room(1), 2))
		r.store.add(room(1), 20) // NATS is away
		s := r.join(t, "alice", room(1), 1)
		wantSeqs(t, s, 0, 18, 19, 20, 21, 22)
		pass(time.Second)
		wantSeqs(t, s, 0, 18, 19, 20, 21, 22)
	})
}

// A reconnect storm: everybody comes back with the seq they had, and the chat service reads no log for them.
func TestReconnectStormReadsNoLog(t *testing.T) {
	t.Parallel()
	inBubble(t, hub.Tuning{}, func(t *testing.T, r *rig) {
		r.store.latency = 20 * time.Millisecond
		r.join(t, "bob", room(1), -1)
		r.Deliver(room(1), r.store.add(room(1), 100))
		const many = 2000
		sinks, results := make([]*sink, many), make(chan error, many)
		for i := range sinks {
			sinks[i] = newSink("s")
			go func() { results <- outcome(r.Subscribe(t.Context(), "alice", room(1), int64(i%100), sinks[i])) }()
		}
		for range 50 {
			r.Deliver(room(1), r.store.add(room(1), 1))
			pass(time.Millisecond)
		}
		for range many {
			if err := <-results; err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Second)
		for i, s := range sinks {
			if got := s.seqs(); len(got) != 150-i%100 || got[0] != int64(i%100)+1 || got[len(got)-1] != 150 {
				t.Fatalf("resumed after %d, got %v", i%100, got)
			}
		}
		for _, asked := range r.store.askedFor() {
			if asked >= 0 {
				t.Fatalf("the chat service was asked for what came after %d", asked)
			}
		}
		if n := r.store.readCount(); n > 2 { // a head that is ahead of the event may cost one
			t.Errorf("%d reads for %d clients, want next to none", n, many)
		}
	})
}

// The budget is the hub's: logs that nobody uses make room for those in use.
func TestMemoryIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	inBubble(t, hub.Tuning{RecentBytes: 100_000}, func(t *testing.T, r *rig) {
		for id := int64(1); id <= 100; id++ {
			r.join(t, "bob", room(id), -1)
			r.Deliver(room(id), r.store.add(room(id), 20))
			synctest.Wait()
		}
		kept := 0
		for id := int64(1); id <= 100; id++ {
			r.join(t, "alice", room(id), 19)
			if asked := r.store.askedFor(); asked[len(asked)-1] == -1 {
				kept++
			}
		}
		if kept < 5 || kept > 20 {
			t.Errorf("%d of 100 logs are kept, want about as many as fit into the budget", kept)
		}
		r.Deliver(room(1), r.store.add(room(1), 1))
		synctest.Wait()
		r.Deliver(room(1), r.store.add(room(1), 1))
		r.join(t, "carol", room(1), 21)
		if asked := r.store.askedFor(); asked[len(asked)-1] != -1 {
			t.Error("a log in use got no room from those that are not")
		}
	})
}

// What is held ahead of holes is bounded in bytes for all logs together; what does not fit is read later.
func TestHoldIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	inBubble(t, hub.Tuning{HoldBytes: 2000}, func(t *testing.T, r *rig) {
		s := r.join(t, "alice", room(1), -1)
		r.store.setDown(true)
		r.Deliver(room(1), r.store.add(room(1), 100)[1:])
		wantSeqs(t, s)
		r.store.setDown(false)
		pass(10 * time.Second)
		var want []int64
		for seq := range int64(100) {
			want = append(want, seq+1)
		}
		wantSeqs(t, s, want...)
		r.Deliver(room(1), r.store.add(room(1), 3)[1:]) // and there is room again
		pass(time.Second)
		wantSeqs(t, s, append(want, 101, 102, 103)...)
	})
}

// A client that is slow in taking what it missed gets it page by page, and holds up others for a while at most.
func TestReplaysWaitForTheirClient(t *testing.T) {
	t.Parallel()
	inBubble(t, hub.Tuning{Recent: 4, Replays: 1, ReplayTime: 2 * time.Second}, func(t *testing.T, r *rig) {
		r.store.limit = 5
		r.join(t, "bob", room(1), -1)
		r.Deliver(room(1), r.store.add(room(1), 5))
		slow := &slowSink{sink: newSink("slow"), taken: make(chan struct{})}
		joined, began := make(chan error, 2), time.Now()
		go func() { joined <- outcome(r.Subscribe(t.Context(), "alice", room(1), 0, slow)) }()
		synctest.Wait()
		r.Deliver(room(1), r.store.add(room(1), 20))
		wantSeqs(t, r.join(t, "carol", room(1), 18), 0, 21, 22, 23, 24, 25)
		if waited := time.Since(began); waited != 2*time.Second {
			t.Errorf("another client waited %v for a slow one, want the 2 s that it may take", waited)
		}
		for _, want := range []int{5, 10, 15, 20} {
			pass(time.Minute)
			if got := len(slow.seqs()); got != want {
				t.Errorf("the slow client was handed %d events, want %d: a page at a time", got, want)
			}
			slow.taken <- struct{}{}
		}
		pass(time.Minute)
		slow.taken <- struct{}{}
		if err := <-joined; err != nil {
			t.Fatal(err)
		}
		if got := slow.seqs(); len(got) != 25 || got[24] != 25 {
			t.Errorf("the slow client got %v, want 1 to 25", got)
		}
	})
}

// slowSink takes what it was given when the test says so.
type slowSink struct {
	*sink
	taken chan struct{}
}

func (s *slowSink) Await(ctx context.Context) {
	select {
	case <-s.taken:
	case <-ctx.Done():
	}
}
