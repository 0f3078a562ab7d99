// Package commit is the scribe: it gathers the sends of all callers into one transaction at a time (group commit), in
// the order in which they came, and tells publisher and callers once it is committed. Package chat's use cases submit
// to it, a store carries the transactions out, the facade runs it.
//
// It waits for nobody: while one transaction runs the next batch gathers, and an idle scribe takes a single unit at
// once. What happens when the database fails: a transaction of which nothing was stored (chat.ErrTransient) is tried
// again until the patience of its oldest unit is over. A commit that was sent and not answered (chat.InDoubt) is never
// tried blindly: the store is asked whether it is there, which answers for every unit, with and without client message
// ids, since all were stored by one transaction. If it does not answer in time the callers hear UNAVAILABLE, and the
// scribe goes on asking, so that what turns out to be stored is published. A transaction that fails in another way is
// cut in halves until the unit that spoils it stands alone.
package commit

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/metrics"
)

// Batcher is the store. Append stores the units in one transaction, each whole or not at all.
type Batcher interface {
	// Append fails as a whole only with nothing stored, or with *chat.InDoubt. chat.ErrTransient marks errors after
	// which the same call may succeed.
	Append(ctx context.Context, units [][]chat.Draft) (chat.Appended, error)
}

// Options are what a scribe can be told. The zero value has the defaults.
type Options struct {
	MaxBatch int            // drafts of one transaction; 0 is 1,024. A unit that is larger has one for itself
	Queue    int            // units that wait for a transaction; 0 is 8,192. Submit blocks while it is full
	Patience time.Duration  // how long a unit may wait for a database that is away; 0 is 5 s
	Logger   *slog.Logger   // nil logs nothing
	Metrics  metrics.Scribe // nil fields are not moved
}

// Scribe implements chat.Appender. Safe for concurrent use; one goroutine calls Run, once.
type Scribe struct {
	store Batcher
	pub   chat.Publisher
	opts  Options
	log   *slog.Logger
	wake  chan struct{} // holds one token while the queue has something that Run may not know of

	mu     sync.Mutex // guards what follows
	room   *sync.Cond // the queue has room again, or is closed
	queue  []entry
	closed bool

	// Of Run's goroutine only:
	batch  []entry
	units  [][]chat.Draft
	doubts []chat.SettleFunc
	down   bool // the last transaction found the database away
}

// entry is a unit that waits.
type entry struct {
	unit []chat.Draft
	done func([]chat.Stored, error)
	at   time.Time // of its submission
}

// New returns a scribe that does nothing until Run.
func New(store Batcher, pub chat.Publisher, opts Options) *Scribe {
	if opts.MaxBatch <= 0 {
		opts.MaxBatch = 1024
	}
	if opts.Queue <= 0 {
		opts.Queue = 8192
	}
	if opts.Patience <= 0 {
		opts.Patience = 5 * time.Second
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Scribe{store: store, pub: pub, opts: opts, log: opts.Logger, wake: make(chan struct{}, 1)}
	s.room = sync.NewCond(&s.mu)
	return s
}

// Submit implements chat.Appender. After the end of Run units are refused with UNAVAILABLE.
func (s *Scribe) Submit(unit []chat.Draft, done func([]chat.Stored, error)) {
	s.mu.Lock()
	for len(s.queue) >= s.opts.Queue && !s.closed {
		s.room.Wait()
	}
	if s.closed {
		s.mu.Unlock()
		done(nil, unavailable(unit, isStopping))
		return
	}
	s.queue = append(s.queue, entry{unit: unit, done: done, at: time.Now()})
	s.mu.Unlock()
	s.poke()
}

func (s *Scribe) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run stores what is submitted until the context ends. Then it accepts nothing more, stores what it has accepted, as
// far as the patience reaches, refuses the rest, and returns nil.
func (s *Scribe) Run(ctx context.Context) error {
	work := context.WithoutCancel(ctx) // a transaction under way is not broken off
	for ctx.Err() == nil {
		select {
		case <-s.wake:
			for ctx.Err() == nil && s.take() {
				s.storeTaken(work)
			}
		case <-s.doubtTimer():
			s.settleDoubts(work)
		case <-ctx.Done():
		}
	}
	s.close()
	last, cancel := context.WithTimeout(work, s.opts.Patience)
	defer cancel()
	for s.take() {
		s.storeTaken(last)
	}
	return nil
}

// doubtTimer fires after a second while there is something in doubt.
func (s *Scribe) doubtTimer() <-chan time.Time {
	if len(s.doubts) == 0 {
		return nil
	}
	return time.After(time.Second)
}

func (s *Scribe) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.room.Broadcast()
}

// storeTaken stores the batch that was taken.
func (s *Scribe) storeTaken(ctx context.Context) {
	s.settleDoubts(ctx)
	s.storeBatch(ctx, s.batch)
	clear(s.batch)
}

// take moves the oldest units, as many as one transaction may have, from the queue to the batch.
func (s *Scribe) take() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	drafts, n := 0, 0
	for n < len(s.queue) && (n == 0 || drafts+len(s.queue[n].unit) <= s.opts.MaxBatch) {
		drafts += len(s.queue[n].unit)
		n++
	}
	s.batch = append(s.batch[:0], s.queue[:n]...)
	rest := copy(s.queue, s.queue[n:])
	clear(s.queue[rest:])
	s.queue = s.queue[:rest]
	s.room.Broadcast()
	return n > 0
}
