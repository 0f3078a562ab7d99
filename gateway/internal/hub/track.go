package hub

import (
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

func newTrack(log event.Log) *track {
	return &track{log: log, order: order{last: unknown}}
}

// order is the position in a log, and the events that wait for theirs.
type order struct {
	last int64                  // seq of the last event delivered, or unknown
	head int64                  // the newest seq heard of
	hold map[int64]*event.Event // came too early, by seq; nil while there is none

	// The newest delivered events, without gap up to last, kept while a subscription is joining: what it needs
	// between its snapshot and going live.
	recent []*event.Event
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
	if len(o.hold) >= limit {
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
	delete(o.hold, e.Seq)
	if len(o.hold) == 0 {
		o.hold = nil
	}
	return e
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

// remember keeps a delivered event for those who are joining, at most limit of them.
func (o *order) remember(e *event.Event, limit int) {
	if len(o.recent) >= limit {
		// Half goes at once, so that moving the rest costs little per event.
		kept := copy(o.recent, o.recent[len(o.recent)-limit/2:])
		clear(o.recent[kept:])
		o.recent = o.recent[:kept]
	}
	o.recent = append(o.recent, e)
}

// since returns the delivered events after a seq below last; false when not all of them are kept.
func (o *order) since(seq int64) ([]*event.Event, bool) {
	if len(o.recent) == 0 {
		return nil, false
	}
	skip := seq + 1 - o.recent[0].Seq
	if skip < 0 {
		return nil, false
	}
	return o.recent[skip:], true
}

// jump moves the position ahead without delivering what lies between, and forgets what that makes old.
func (o *order) jump(seq int64) {
	o.last = seq
	o.recent = nil
	for held := range o.hold {
		if held <= seq {
			delete(o.hold, held)
		}
	}
	if len(o.hold) == 0 {
		o.hold = nil
	}
}

// reset forgets everything: nobody follows the log any more, and it will pass unseen.
func (t *track) reset() {
	t.order = order{last: unknown}
	t.copied = nil
}
