package hub_test

import (
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/hub"
)

func TestHole(t *testing.T) {
	t.Parallel()
	tuning := hub.Tuning{HoleGrace: 25 * time.Millisecond}

	t.Run("is read from the chat service after the grace", func(t *testing.T) {
		t.Parallel()
		inBubble(t, tuning, func(t *testing.T, r *rig) {
			s := r.join(t, "alice", room(1), -1)
			events := r.store.add(room(1), 5)
			r.Deliver(room(1), events[:1])
			r.Deliver(room(1), events[3:])
			pass(24 * time.Millisecond)
			wantSeqs(t, s, 1)
			pass(2 * time.Millisecond)
			wantSeqs(t, s, 1, 2, 3, 4, 5)
		})
	})
	t.Run("that closes within the grace is not read", func(t *testing.T) {
		t.Parallel()
		inBubble(t, tuning, func(t *testing.T, r *rig) {
			s := r.join(t, "alice", room(1), -1)
			events := r.store.add(room(1), 4)
			r.Deliver(room(1), events[2:])
			r.Deliver(room(1), events[:2])
			wantSeqs(t, s, 1, 2, 3, 4)
			pass(time.Minute)
			if n := r.store.readCount(); n != 0 {
				t.Errorf("%d reads of the log, want none", n)
			}
		})
	})
	t.Run("larger than one answer is read to its end", func(t *testing.T) {
		t.Parallel()
		inBubble(t, tuning, func(t *testing.T, r *rig) {
			r.store.limit = 3
			s := r.join(t, "alice", room(1), -1)
			events := r.store.add(room(1), 11)
			r.Deliver(room(1), events[10:])
			pass(26 * time.Millisecond)
			wantSeqs(t, s, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
		})
	})
	t.Run("with more ahead than the hold takes is read as well", func(t *testing.T) {
		t.Parallel()
		inBubble(t, hub.Tuning{Hold: 2}, func(t *testing.T, r *rig) {
			s := r.join(t, "alice", room(1), -1)
			events := r.store.add(room(1), 6)
			r.Deliver(room(1), events[1:])
			pass(time.Second)
			wantSeqs(t, s, 1, 2, 3, 4, 5, 6)
		})
	})
}

func TestHoleThatCannotBeReadYet(t *testing.T) {
	t.Parallel()
	t.Run("survives an absent chat service, which is not pestered", func(t *testing.T) {
		t.Parallel()
		inBubble(t, hub.Tuning{Backoff: 100 * time.Millisecond, MaxBackoff: 2 * time.Second},
			func(t *testing.T, r *rig) {
				s := r.join(t, "alice", room(1), -1)
				events := r.store.add(room(1), 100)
				r.store.setDown(true)
				for i := 1; i < len(events); i++ {
					r.Deliver(room(1), events[i:i+1])
					pass(600 * time.Millisecond)
				}
				r.store.setDown(false)
				pass(2*time.Second + time.Millisecond)
				if got := len(s.seqs()); got != 100 {
					t.Errorf("the sink got %d events, want 100", got)
				}
				if n := r.store.readCount(); n != 1 {
					t.Errorf("%d reads after the return, want 1", n)
				}
			})
	})
	t.Run("before an event that was never stored is given up", func(t *testing.T) {
		t.Parallel()
		inBubble(t, hub.Tuning{}, func(t *testing.T, r *rig) {
			s := r.join(t, "alice", room(1), -1)
			r.Deliver(room(1), newEvents(room(1), 1<<60, 1<<60))
			pass(time.Minute)
			reads := r.store.readCount()
			pass(time.Hour)
			if n := r.store.readCount(); n != reads || n == 0 {
				t.Errorf("%d reads in the first minute, %d after an hour, want the same few", reads, n)
			}
			r.Deliver(room(1), r.store.add(room(1), 2))
			wantSeqs(t, s, 1, 2)
		})
	})
}

func TestTail(t *testing.T) {
	t.Parallel()
	tuning := hub.Tuning{HeadsGrace: 200 * time.Millisecond}

	t.Run("lost is read after the digest and its grace", func(t *testing.T) {
		t.Parallel()
		inBubble(t, tuning, func(t *testing.T, r *rig) {
			s := r.join(t, "alice", room(1), -1)
			r.store.add(room(1), 2)
			r.Heads([]event.Head{{Log: room(1), Seq: 2}, {Log: room(99), Seq: 7}})
			pass(199 * time.Millisecond)
			wantSeqs(t, s)
			pass(2 * time.Millisecond)
			wantSeqs(t, s, 1, 2)
		})
	})
	t.Run("in flight is not read", func(t *testing.T) {
		t.Parallel()
		inBubble(t, tuning, func(t *testing.T, r *rig) {
			s := r.join(t, "alice", room(1), -1)
			events := r.store.add(room(1), 1)
			r.Heads([]event.Head{{Log: room(1), Seq: 1}})
			r.Deliver(room(1), events)
			pass(time.Minute)
			wantSeqs(t, s, 1)
			if n := r.store.readCount(); n != 0 {
				t.Errorf("%d reads of the log, want none", n)
			}
		})
	})
	t.Run("of a log that nobody is live on is left alone", func(t *testing.T) {
		t.Parallel()
		inBubble(t, hub.Tuning{Linger: time.Hour}, func(t *testing.T, r *rig) {
			s := r.join(t, "alice", room(1), -1)
			r.Unsubscribe(room(1), s)
			r.store.add(room(1), 2)
			r.Heads([]event.Head{{Log: room(1), Seq: 2}})
			pass(time.Minute)
			if n := r.store.readCount(); n != 0 {
				t.Errorf("%d reads of the log, want none", n)
			}
		})
	})
	t.Run("that the snapshot knew of but the feed lost is read for those before", func(t *testing.T) {
		t.Parallel()
		inBubble(t, tuning, func(t *testing.T, r *rig) {
			first := r.join(t, "alice", room(1), -1)
			r.store.add(room(1), 3)
			second := r.join(t, "bob", room(1), 1)
			wantSeqs(t, second, 2, 3)
			pass(time.Second)
			wantSeqs(t, first, 1, 2, 3)
			wantSeqs(t, second, 2, 3)
		})
	})
}

func TestResync(t *testing.T) {
	t.Parallel()
	t.Run("reads all heads in chunks and repairs what is behind", func(t *testing.T) {
		t.Parallel()
		inBubble(t, hub.Tuning{}, func(t *testing.T, r *rig) {
			var sinks []*sink
			for id := int64(1); id <= 2500; id++ {
				sinks = append(sinks, r.join(t, "alice", room(id), -1))
			}
			r.store.add(room(17), 2)
			r.store.add(room(2500), 1)
			r.Resync()
			pass(time.Second)
			wantSeqs(t, sinks[16], 1, 2)
			wantSeqs(t, sinks[2499], 1)
			wantSeqs(t, sinks[0])
			total := 0
			for _, n := range r.store.heads {
				total += n
				if n > 1000 {
					t.Errorf("%d logs in one ReadHeads, at most 1,000 are allowed", n)
				}
			}
			if total != 2500 {
				t.Errorf("heads of %d logs read, want 2500", total)
			}
		})
	})
	t.Run("waits for a chat service that is away", func(t *testing.T) {
		t.Parallel()
		inBubble(t, hub.Tuning{}, func(t *testing.T, r *rig) {
			s := r.join(t, "alice", room(1), -1)
			r.store.add(room(1), 1)
			r.store.setDown(true)
			r.Resync()
			pass(time.Minute)
			wantSeqs(t, s)
			r.store.setDown(false)
			pass(5 * time.Second)
			wantSeqs(t, s, 1)
		})
	})
}
