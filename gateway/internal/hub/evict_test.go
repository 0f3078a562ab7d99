package hub_test

import (
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/hub"
)

func TestLostAccess(t *testing.T) {
	t.Parallel()
	t.Run("ends all subscriptions of that user, and no other", func(t *testing.T) {
		t.Parallel()
		inBubble(t, hub.Tuning{}, func(t *testing.T, r *rig) {
			bob1, bob2 := r.join(t, "bob", room(1), -1), r.join(t, "bob", room(1), -1)
			alice, elsewhere := r.join(t, "alice", room(1), -1), r.join(t, "bob", room(2), -1)
			r.Deliver(room(1), r.store.add(room(1), 1))
			r.Deliver(room(1), []event.Event{r.store.ban(room(1), "bob")})
			r.Deliver(room(1), r.store.add(room(1), 1))
			r.Deliver(room(2), r.store.add(room(2), 1))
			for _, bob := range []*sink{bob1, bob2} {
				wantSeqs(t, bob, 1, 2)
				ended, late := bob.state()
				if ended == nil || ended.Code != event.Forbidden || ended.Message == "" || late > 0 {
					t.Errorf("ended with %v and %d deliveries after it, want FORBIDDEN and none", ended, late)
				}
			}
			wantSeqs(t, alice, 1, 2, 3)
			wantSeqs(t, elsewhere, 1)
			wantCode(t, outcome(r.Subscribe(t.Context(), "bob", room(1), 0, newSink("again"))), event.Forbidden)
		})
	})
	t.Run("of the last one gives up the interest", func(t *testing.T) {
		t.Parallel()
		inBubble(t, hub.Tuning{}, func(t *testing.T, r *rig) {
			r.join(t, "bob", room(1), -1)
			removal := r.store.ban(room(1), "bob")
			r.Deliver(room(1), append([]event.Event{removal}, r.store.add(room(1), 2)...))
			pass(time.Minute)
			if live, _ := r.feed.interests(); live != 0 {
				t.Errorf("%d interests left, want none", live)
			}
		})
	})
}

func TestLostAccessOutOfStep(t *testing.T) {
	t.Parallel()
	t.Run("behind a hole waits for the hole", func(t *testing.T) {
		t.Parallel()
		inBubble(t, hub.Tuning{}, func(t *testing.T, r *rig) {
			bob := r.join(t, "bob", room(1), -1)
			r.store.add(room(1), 1)
			removal := r.store.ban(room(1), "bob")
			r.Deliver(room(1), append([]event.Event{removal}, r.store.add(room(1), 1)...))
			wantSeqs(t, bob)
			pass(time.Second)
			wantSeqs(t, bob, 1, 2)
			if ended, _ := bob.state(); ended == nil {
				t.Error("the subscription is still there")
			}
		})
	})
	t.Run("during a join refuses it", func(t *testing.T) {
		t.Parallel()
		inBubble(t, hub.Tuning{}, func(t *testing.T, r *rig) {
			r.store.add(room(1), 2)
			r.store.onJoin = func(log event.Log) {
				r.Deliver(log, []event.Event{r.store.ban(log, "bob")})
				r.Deliver(log, r.store.add(log, 1))
			}
			bob := newSink("s")
			wantCode(t, outcome(r.Subscribe(t.Context(), "bob", room(1), 1, bob)), event.Forbidden)
			wantSeqs(t, bob, 2, 3)
			if ended, _ := bob.state(); ended != nil {
				t.Error("the sink was ended, the error alone should say it")
			}
		})
	})
	t.Run("long ago does not end who was let in again", func(t *testing.T) {
		t.Parallel()
		inBubble(t, hub.Tuning{}, func(t *testing.T, r *rig) {
			r.join(t, "carol", room(1), -1) // the log's position stays before the removal
			r.store.add(room(1), 1)
			removal := r.store.ban(room(1), "bob")
			r.store.allow(room(1), "bob")
			bob := r.join(t, "bob", room(1), 0)
			r.Deliver(room(1), append(newEvents(room(1), 1, 1), removal))
			r.Deliver(room(1), r.store.add(room(1), 1))
			wantSeqs(t, bob, 1, 2, 3)
			if ended, _ := bob.state(); ended != nil {
				t.Errorf("ended with %v", ended)
			}
		})
	})
}

func TestStateEvents(t *testing.T) {
	t.Parallel()
	inBubble(t, hub.Tuning{}, func(t *testing.T, r *rig) {
		live := r.join(t, "alice", room(1), -1)
		r.store.onJoin = func(log event.Log) { r.Deliver(log, newEvents(log, 0, 0)) }
		joining := r.join(t, "bob", room(1), -1)
		wantSeqs(t, live, 0)
		wantSeqs(t, joining)
		events := r.store.add(room(1), 3)
		r.Deliver(room(1), events[2:]) // a hole holds up events of the log, not state
		r.Deliver(room(1), newEvents(room(1), 0, 0))
		wantSeqs(t, live, 0, 0)
		wantSeqs(t, joining, 0)
	})
}

// TestThreat16Hidden: who was out for a while and is back gets, by no way of resuming, what was written meanwhile.
func TestThreat16Hidden(t *testing.T) {
	t.Parallel()
	for name, tuning := range map[string]hub.Tuning{
		"from memory": {}, "from the service": {Recent: 1}, "page by page": {Recent: 2, RecentBytes: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, tuning, func(t *testing.T, r *rig) {
				r.store.limit = 3
				log := room(1)
				carol := r.join(t, "carol", log, -1)
				bob := r.join(t, "bob", log, -1)
				tell := func(events ...event.Event) { r.Deliver(log, events) }
				tell(r.store.add(log, 2)...)
				tell(r.store.ban(log, "bob"))
				tell(r.store.add(log, 5)...) // 4 to 8
				r.store.allow(log, "bob")
				tell(r.store.add(log, 1)...)
				again := r.join(t, "bob", log, 2)
				tell(r.store.add(log, 1)...)
				pass(time.Second)
				wantSeqs(t, carol, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
				wantSeqs(t, bob, 1, 2, 3)
				got := again.seqs()
				for _, seq := range got {
					if seq > 3 && seq < 9 {
						t.Errorf("bob, back, got event %d", seq)
					}
				}
				if len(got) < 2 || got[len(got)-1] != 10 || got[len(got)-2] != 9 {
					t.Errorf("bob, back, got %v, want it to end with 9, 10", got)
				}
			})
		})
	}
}
