package publish

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/metrics"
)

// Defaults of Options.
const (
	DefaultInterval    = time.Second
	DefaultRepeats     = 3
	DefaultMaxQueued   = 1 << 16
	DefaultMaxHeads    = 1 << 20
	DefaultWindow      = 5 * time.Second
	DefaultFirstWindow = time.Hour
)

// lastFlush is how long the end of Run waits for NATS to take in what was published last.
const lastFlush = 2 * time.Second

// Options of New; zero values are defaults.
type Options struct {
	Interval  time.Duration // between digests; the store is asked twice as often
	Repeats   int           // how many confirmed digests name a changed log
	MaxQueued int           // events that may wait for the publishing goroutine; more are dropped
	MaxHeads  int           // changed logs that are remembered while NATS is away; more are forgotten
	Changes   Changes       // nil: digests name only what Publish was told of
	// Window is how long before the last answer of the store a change may have been written that it did not tell of,
	// as its transaction was not committed yet.
	Window      time.Duration
	FirstWindow time.Duration // how far back the first question to the store goes
	Metrics     metrics.Post
}

func (o *Options) setDefaults() {
	if o.Interval == 0 {
		o.Interval = DefaultInterval
	}
	if o.Repeats == 0 {
		o.Repeats = DefaultRepeats
	}
	if o.MaxQueued == 0 {
		o.MaxQueued = DefaultMaxQueued
	}
	if o.MaxHeads == 0 {
		o.MaxHeads = DefaultMaxHeads
	}
	if o.Window == 0 {
		o.Window = DefaultWindow
	}
	if o.FirstWindow == 0 {
		o.FirstWindow = DefaultFirstWindow
	}
}

// Publisher publishes on one NATS connection. It is safe for concurrent use; calls of Publish for one log must not
// overlap, or their order is open.
type Publisher struct {
	conn  *nats.Conn
	opts  Options
	heads *heads
	desk  *desk // the publishing goroutine's

	queueFull, headsFull prometheus.Counter

	mu     sync.Mutex
	queue  []letter
	queued int // events in queue

	wake  chan struct{} // holds a token when queue may have something
	found chan struct{} // holds a token when the store told of something new
}

// letter is what one call of Publish handed over.
type letter struct {
	events   []chat.Event
	audience map[int64][]string
}

// New returns a publisher on a connection, best made by Dial. Nothing is sent before Run.
func New(conn *nats.Conn, opts Options) *Publisher {
	opts.setDefaults()
	return &Publisher{
		conn:      conn,
		opts:      opts,
		heads:     newHeads(opts.Repeats, opts.MaxHeads),
		desk:      newDesk(conn, opts.Metrics),
		queueFull: opts.Metrics.Dropped.WithLabelValues("queue_full"),
		headsFull: opts.Metrics.Dropped.WithLabelValues("heads_full"),
		wake:      make(chan struct{}, 1),
		found:     make(chan struct{}, 1),
	}
}

// Publish hands events over to the publishing goroutine and returns at once. It owns both arguments from then on:
// nobody may change them. See chat.Publisher.
func (p *Publisher) Publish(events []chat.Event, audience map[int64][]string) {
	if len(events) == 0 {
		return
	}
	if forgotten := p.heads.changed(events); forgotten > 0 {
		p.headsFull.Add(float64(forgotten))
	}
	p.mu.Lock()
	full := p.queued+len(events) > p.opts.MaxQueued
	if !full {
		p.queue = append(p.queue, letter{events, audience})
		p.queued += len(events)
	}
	p.mu.Unlock()
	if full {
		p.queueFull.Add(float64(len(events)))
		return
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Offer is Publish for state that yields to everything else: it says false, and takes nothing, while more than a
// quarter of what may wait is waiting. See chat.StatePublisher.
func (p *Publisher) Offer(events []chat.Event) bool {
	p.mu.Lock()
	busy := p.queued+len(events) > p.opts.MaxQueued/4
	p.mu.Unlock()
	if busy {
		return false
	}
	p.Publish(events, nil)
	return true
}

// Run publishes until ctx ends, then what is left, with a last digest, waiting at most two seconds for NATS.
// It returns nil.
func (p *Publisher) Run(ctx context.Context) error {
	var digests sync.WaitGroup
	digests.Go(func() { p.runDigests(ctx) })
	if p.opts.Changes != nil {
		digests.Go(func() { p.runLooks(ctx) })
	}
	for open := true; open; {
		select {
		case <-p.wake:
		case <-ctx.Done():
			open = false
		}
		p.publishQueue()
	}
	digests.Wait()
	p.sendHeads(p.heads.list())
	if p.conn.IsConnected() {
		_ = p.conn.FlushTimeout(lastFlush) // a hint, to the last
	}
	return nil
}

func (p *Publisher) publishQueue() {
	p.mu.Lock()
	letters, events := p.queue, p.queued
	p.queue, p.queued = nil, 0
	p.mu.Unlock()
	p.opts.Metrics.Queued.Set(float64(events))
	for i := range letters {
		p.desk.post(letters[i].events, letters[i].audience)
	}
	p.opts.Metrics.Queued.Set(0)
}

// reasonOf names why the connection did not take a message, as a label of metrics.Post.Dropped.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return "too_large"
	case errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrConnectionClosed),
		errors.Is(err, nats.ErrDisconnected):
		return "disconnected"
	}
	return "error"
}
