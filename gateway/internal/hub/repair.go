package hub

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/metrics"
)

// emptyReads is how often the chat service must say that a log ends before events claimed to be beyond are given up.
const emptyReads = 4

// repair is the state of a log's one repair: idle, waiting for the timer, or busy (queued or reading).
type repair struct {
	timer    *time.Timer
	due      time.Time
	busy     bool
	failures int // in a row: reads that failed, or brought nothing
}

// repairIfBehind has a log repaired if it is still behind after a grace. Without live subscriptions nobody misses
// anything: the next one to join brings the position along. The track is locked.
func (h *Hub) repairIfBehind(t *track, grace time.Duration) {
	r := &t.repair
	if !t.order.behind() || len(t.roster.live) == 0 || r.busy {
		return
	}
	due := time.Now().Add(grace)
	if r.timer != nil {
		// While reads fail the back-off decides; the waiting time is not cut short by more events.
		if r.failures > 0 || !due.Before(r.due) || !r.timer.Stop() {
			return
		}
	}
	r.due = due
	r.timer = time.AfterFunc(grace, func() { h.repairDue(t) })
}

// repairDue queues the repair of a log whose grace is over.
func (h *Hub) repairDue(t *track) {
	t.mu.Lock()
	t.repair.timer = nil
	if !t.order.behind() || len(t.roster.live) == 0 {
		t.repair.failures = 0
		t.mu.Unlock()
		return
	}
	t.repair.busy = true
	t.mu.Unlock()
	h.repairs.push(t)
}

func (h *Hub) repairLoop(ctx context.Context) {
	for {
		t := h.repairs.pop(ctx)
		if t == nil {
			return
		}
		h.repairOnce(ctx, t)
	}
}

// repairOnce reads one stretch of a log. If that is not all, or fails, the log goes to the end of the queue.
func (h *Hub) repairOnce(ctx context.Context, t *track) {
	t.mu.Lock()
	wanted := t.order.behind()
	after, upTo := t.order.missing()
	t.mu.Unlock()
	var (
		events []event.Event
		err    error
	)
	read := stretch{after: after, upTo: upTo}
	if wanted {
		readCtx, cancel := context.WithTimeout(ctx, h.tuning.CallTimeout)
		events, read.head, err = h.logs.ReadLog(readCtx, t.log, after, upTo)
		cancel()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.repair.busy = false
	switch {
	case !wanted || !t.isFollowed():
		t.repair.failures = 0
		h.repairIfBehind(t, 0)
	case err != nil:
		h.repairLater(t)
	default:
		h.metrics.HubRepairs.Inc()
		h.repaired(t, read, events)
	}
}

// stretch is what one repair asked for and what the log's head was then.
type stretch struct {
	after, upTo, head int64
}

// repaired puts what was read in place and sees to the rest. The track is locked.
func (h *Hub) repaired(t *track, read stretch, events []event.Event) {
	o := &t.order
	for i := range events {
		h.accept(t, &events[i])
	}
	o.noteHead(read.head)
	wanted := read.upTo
	if wanted == 0 {
		wanted = read.head
	}
	switch {
	case !o.behind():
		t.repair.failures = 0
	case o.last >= read.head && t.repair.failures >= emptyReads:
		h.giveUpPhantoms(t)
	case o.last >= read.head, o.last <= read.after:
		// Something is said to lie beyond what the chat service has, or it had more and sent none.
		h.repairLater(t)
	default:
		t.repair.failures = 0
		grace := h.tuning.HeadsGrace
		if o.hold != nil || o.last < wanted {
			grace = 0 // a hole that has had its grace, or a stretch cut short
		}
		h.repairIfBehind(t, grace)
	}
}

// giveUpPhantoms believes the chat service that the log ends here: what claimed to be beyond was never stored.
func (h *Hub) giveUpPhantoms(t *track) {
	h.metrics.HubDropped.Add(metrics.DropPhantom, t.order.unholdUpTo(math.MaxInt64))
	t.order.head = t.order.last
	t.repair.failures = 0
}

// repairLater waits out a back-off. The track is locked.
func (h *Hub) repairLater(t *track) {
	t.repair.failures++
	wait := h.backoff(t.repair.failures)
	t.repair.due = time.Now().Add(wait)
	t.repair.timer = time.AfterFunc(wait, func() { h.repairDue(t) })
}

// backoff is the time to wait after so many failures: doubled each time up to the longest, and jittered so that the
// logs and nodes which failed together do not return together.
func (h *Hub) backoff(failures int) time.Duration {
	wait := h.tuning.MaxBackoff
	if shift := failures - 1; shift < 16 {
		wait = min(wait, h.tuning.Backoff<<shift)
	}
	return wait/2 + rand.N(wait/2+1)
}

// repairQueue holds the logs to repair, each at most once, so it is never longer than there are logs.
type repairQueue struct {
	mu     sync.Mutex
	tracks []*track
	wake   chan struct{} // one token per waiting log, as many as there are workers
}

func (q *repairQueue) push(t *track) {
	q.mu.Lock()
	q.tracks = append(q.tracks, t)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// pop waits for a log; nil when the context has ended.
func (q *repairQueue) pop(ctx context.Context) *track {
	for {
		if t := q.take(); t != nil {
			return t
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

func (q *repairQueue) take() *track {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.tracks) == 0 {
		q.tracks = nil
		return nil
	}
	t := q.tracks[0]
	q.tracks[0] = nil
	q.tracks = q.tracks[1:]
	return t
}
