package hub_test

import (
	"testing"
	"testing/synctest"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/hub"
)

var inbox = event.Log{User: "alice"}

// joinAs subscribes alice under the name of a session, which must work.
func (r *rig) joinAs(t *testing.T, session string, log event.Log) *sink {
	t.Helper()
	s := newSink(session)
	if _, err := r.Subscribe(t.Context(), "alice", log, -1, s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDeliverCopy(t *testing.T) {
	t.Parallel()
	t.Run("goes to sessions that do not follow the room", func(t *testing.T) {
		t.Parallel()
		inBubble(t, hub.Tuning{}, func(t *testing.T, r *rig) {
			phone, laptop := r.joinAs(t, "phone", inbox), r.joinAs(t, "laptop", inbox)
			first := r.joinAs(t, "laptop", room(1))
			second := r.joinAs(t, "laptop", room(1))
			r.DeliverCopy("alice", 1, newEvents(room(1), 1, 1))
			wantSeqs(t, phone, 1)
			wantSeqs(t, laptop)
			r.Unsubscribe(room(1), first)
			r.DeliverCopy("alice", 1, newEvents(room(1), 2, 2))
			wantSeqs(t, laptop)
			r.Unsubscribe(room(1), second)
			r.DeliverCopy("alice", 1, newEvents(room(1), 3, 3))
			wantSeqs(t, phone, 1, 2, 3)
			wantSeqs(t, laptop, 3)
		})
	})
	t.Run("is for nobody where all sessions follow the room", func(t *testing.T) {
		t.Parallel()
		inBubble(t, hub.Tuning{}, func(t *testing.T, r *rig) {
			if !r.Covered("alice", 1, 1, 1) {
				t.Error("a copy for a user who is not here is wanted")
			}
			laptop := r.joinAs(t, "laptop", inbox)
			followed := r.joinAs(t, "laptop", room(1))
			if !r.Covered("alice", 1, 7, 2) || r.Covered("alice", 2, 1, 1) {
				t.Error("covered should be the copies of room 1 alone")
			}
			phone := r.joinAs(t, "phone", inbox)
			if r.Covered("alice", 1, 8, 1) {
				t.Error("the phone does not follow the room, and wants the copy")
			}
			r.DeliverCopy("alice", 1, newEvents(room(1), 8, 8))
			r.Unsubscribe(room(1), followed)
			r.DeliverCopy("alice", 1, newEvents(room(1), 6, 7)) // late, and passed already
			wantSeqs(t, phone, 8)
			wantSeqs(t, laptop)
		})
	})
	t.Run("that was covered does not come again, late", func(t *testing.T) {
		t.Parallel()
		inBubble(t, hub.Tuning{}, func(t *testing.T, r *rig) {
			laptop := r.joinAs(t, "laptop", inbox)
			followed := r.joinAs(t, "laptop", room(1))
			r.Covered("alice", 1, 7, 2)
			r.Unsubscribe(room(1), followed)
			r.DeliverCopy("alice", 1, newEvents(room(1), 6, 8))
			wantSeqs(t, laptop, 8)
		})
	})
	t.Run("is in order and without doubles per room, apart from the inbox's own events", func(t *testing.T) {
		t.Parallel()
		inBubble(t, hub.Tuning{}, func(t *testing.T, r *rig) {
			s := r.joinAs(t, "phone", inbox)
			r.DeliverCopy("alice", 1, newEvents(room(1), 7, 8))
			r.DeliverCopy("alice", 1, newEvents(room(1), 8, 9))
			r.DeliverCopy("alice", 1, newEvents(room(1), 6, 6))
			r.DeliverCopy("alice", 2, newEvents(room(2), 3, 3))
			r.Deliver(inbox, r.store.add(inbox, 1))
			wantSeqs(t, s, 7, 8, 9, 3, 1)
		})
	})
	t.Run("is remembered for a bounded number of rooms", func(t *testing.T) {
		t.Parallel()
		inBubble(t, hub.Tuning{}, func(t *testing.T, r *rig) {
			s := r.joinAs(t, "phone", inbox)
			for id := int64(1); id <= 1000; id++ {
				r.DeliverCopy("alice", id, newEvents(room(id), 1, 1))
			}
			r.DeliverCopy("alice", 1000, newEvents(room(1000), 1, 1))
			if got := len(s.seqs()); got != 1000 {
				t.Errorf("%d copies, want 1000", got)
			}
		})
	})
	t.Run("reaches nobody who is joining, gone, or another user", func(t *testing.T) {
		t.Parallel()
		inBubble(t, hub.Tuning{}, func(t *testing.T, r *rig) {
			gone := r.joinAs(t, "gone", inbox)
			r.Unsubscribe(inbox, gone)
			r.DeliverCopy("alice", 1, newEvents(room(1), 1, 1))
			r.store.onJoin = func(event.Log) { r.DeliverCopy("alice", 1, newEvents(room(1), 1, 1)) }
			s := r.joinAs(t, "phone", inbox)
			r.DeliverCopy("bob", 1, newEvents(room(1), 1, 1))
			synctest.Wait()
			wantSeqs(t, gone)
			wantSeqs(t, s)
			r.DeliverCopy("alice", 1, newEvents(room(1), 1, 1))
			wantSeqs(t, s, 1)
		})
	})
}
