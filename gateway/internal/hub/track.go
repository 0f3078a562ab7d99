package hub

import (
	"math"
	"sync"

	"github.com/fliliy/chat/gateway/internal/event"
)

// unknown is the position of a log of which no subscription has been allowed yet.
const unknown = -1

// track is what this node knows of one log.
type track struct {
	log event.Log

	// Guarded by the shard's lock.
	refs    int           // subscriptions, and an interest being taken
	leaving chan struct{} // set when it is being forgotten, closed when it is

	mu        sync.Mutex // guards all below; see Locks in the package comment
	listening *listening // the interest, taken or being taken
	roster    roster
	order     order
	repair    repair
	copied    map[int64]int64 // an inbox's: room -> seq of the last copy passed on
}

func newTrack(log event.Log, held *budget) *track {
	return &track{log: log, order: order{last: unknown, held: held}}
}

// order is the position in a log, and the events that wait for theirs.
type order struct {
	last   int64                  // seq of the last event delivered, or unknown
	head   int64                  // the newest seq heard of
	hold   map[int64]*event.Event // came too early, by seq; nil while there is none
	held   *budget                // of all holds of the hub
	memory memory                 // the newest delivered events
	moved  chan struct{}          // closed when the position moves; nil while nobody waits for that
}

// move sets the position.
func (o *order) move(seq int64) {
	o.last = seq
	if o.moved != nil {
		close(o.moved)
		o.moved = nil
	}
}

func (o *order) behind() bool {
	return o.last != unknown && o.head > o.last
}

func (o *order) noteHead(seq int64) {
	o.head = max(o.head, seq)
}

// keep holds an event that cannot be delivered yet. It says false when there is no room for it.
func (o *order) keep(e *event.Event, limit int) bool {
	o.noteHead(e.Seq)
	if _, held := o.hold[e.Seq]; held {
		return true
	}
	if len(o.hold) >= limit || !o.held.take(costOf(e)) {
		return false
	}
	if o.hold == nil {
		o.hold = make(map[int64]*event.Event)
	}
	o.hold[e.Seq] = e
	return true
}

// takeNext returns the held event that is next now, or nil.
func (o *order) takeNext() *event.Event {
	if o.hold == nil {
		return nil
	}
	e, ok := o.hold[o.last+1]
	if !ok {
		return nil
	}
	o.unhold(e)
	return e
}

// unhold takes an event out of the hold.
func (o *order) unhold(e *event.Event) {
	o.held.give(costOf(e))
	delete(o.hold, e.Seq)
	if len(o.hold) == 0 {
		o.hold = nil
	}
}

// unholdUpTo empties the hold up to a seq, and returns how many events that were.
func (o *order) unholdUpTo(seq int64) int {
	gone := 0
	for _, e := range o.hold {
		if e.Seq <= seq {
			o.unhold(e)
			gone++
		}
	}
	return gone
}

// missing returns the stretch to read: events after one seq up to another, 0 for the head. The order is behind.
func (o *order) missing() (after, upTo int64) {
	for seq := range o.hold {
		if upTo == 0 || seq <= upTo {
			upTo = seq - 1
		}
	}
	return o.last, upTo
}

// jump moves the position ahead without delivering what lies between, and forgets what that makes old. The track is
// locked.
func (h *Hub) jump(t *track, seq int64) {
	t.order.move(seq)
	t.order.unholdUpTo(seq)
	h.forget(&t.order.memory, len(t.order.memory.events))
}

// reset forgets everything: nobody follows the log any more, and it will pass unseen. The track is locked.
func (h *Hub) reset(t *track) {
	h.jump(t, unknown)
	t.order.unholdUpTo(math.MaxInt64)
	t.order.head = 0
	t.copied = nil
}

// reached says whether the position has come to a seq, and if not, returns a channel that is closed when it moves next.
func (t *track) reached(seq int64) (bool, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := &t.order
	if o.last >= seq {
		return true, nil
	}
	if o.moved == nil {
		o.moved = make(chan struct{})
	}
	return false, o.moved
}

// isFollowed says whether events of the log matter: somebody subscribes it, or did so a moment ago and may come back.
// The track is locked.
func (t *track) isFollowed() bool {
	return t.roster.size() > 0 || t.order.last != unknown
}
