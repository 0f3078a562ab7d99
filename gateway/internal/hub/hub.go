// Package hub knows who on this node listens to what, and holds each log's truth: the last seq it has delivered.
//
// The fan-in (NATS, at most once, possibly late, double or out of order) brings events; the hub delivers them to the
// subscriptions of sessions in order, without hole and double, and reads what is missing from the chat service. It
// knows no socket, no STOMP command and no NATS: sessions subscribe and unsubscribe, the fan-in delivers, the relay
// answers what is asked of the chat service. It holds no chat rule: who may read is the chat service's decision.
//
// # Life of a log
//
// A log (type track) exists on this node while somebody subscribes it, and a short linger longer. Its position, last,
// is unknown until the first subscription has been allowed; events that come before wait in the hold. Then:
//
//   - the next event is delivered, an older one dropped,
//   - an event that is ahead is held, and after a short grace (another replica's event may be in flight) the hole is
//     read from the chat service, with back-off while that is away,
//   - a head (from the digest, a resync or a snapshot) beyond the position is a hole at the tail and repaired alike.
//
// The newest delivered events stay in memory while the log exists, within a budget of the whole hub, so that clients
// which come back after a gateway died are not each read for: the chat service then says who may read and what the
// head is, no more. An edit or recall empties the log's memory: what the chat service tells of older events has
// changed. State events are not kept.
//
// # Promises
//
// To a subscription of a log: exactly the log's events after its start, in order of seq, without those that the chat service
// says are hidden from its user, who was no member while they were written. State events (seq 0) go
// straight through to those that are live, and are dropped for those that are still joining.
//
// To the inbox subscriptions of a user, beside that: live copies of events of rooms which the subscription's session
// has not subscribed itself. A copy carries the seq of the room's log, has no order against the inbox's own events,
// may be lost, and is, per room, in order and without doubles while the room is among the last 256 copied ones.
//
// # Locks
//
// A shard's lock guards its map and the reference counts, a track's lock all else of the track. A track's lock may be
// held while a shard's, the follow set's or the repair queue's is taken, never the other way round. Sinks are called
// under the track's lock, so that nothing reaches a sink after Unsubscribe has returned.
package hub

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fliliy/chat/gateway/internal/metrics"
)

// Options are what a hub works with. Interest and Logs are needed, the rest may be left zero.
type Options struct {
	Interest Interest
	Logs     Logs
	Logger   *slog.Logger
	Metrics  *metrics.Metrics
	Tuning   Tuning
}

// Tuning are the hub's limits and times. A zero field takes its default.
type Tuning struct {
	Hold        int           // events held ahead of a hole, per log; 1,024
	HoldBytes   int           // the same of all logs together, about; 64 MiB
	Recent      int           // delivered events kept for subscriptions that resume, per log; 256
	RecentBytes int           // the same of all logs together, about; 64 MiB
	Replays     int           // answers with missed events on their way to clients at a time; 64
	ReplayTime  time.Duration // how long a client that is slow in taking such an answer counts as one of them; 2 s
	Workers     int           // repairs at a time; 16
	Linger      time.Duration // how long an interest outlives its last subscription; 10 s, negative for none
	HoleGrace   time.Duration // from seeing a hole to reading it; 25 ms
	HeadsGrace  time.Duration // from seeing a newer head to reading up to it; 200 ms
	Backoff     time.Duration // before the first retry of a failed read, doubled for each further one; 100 ms
	MaxBackoff  time.Duration // the longest; 2 s
	CallTimeout time.Duration // for one repair read, heads read or interest; 5 s
}

func orDefault[T int | time.Duration](value *T, preset T) {
	if *value == 0 {
		*value = preset
	}
}

func (t Tuning) withDefaults() Tuning {
	orDefault(&t.Hold, 1024)
	orDefault(&t.HoldBytes, 64<<20)
	orDefault(&t.Recent, 256)
	orDefault(&t.RecentBytes, 64<<20)
	orDefault(&t.Replays, 64)
	orDefault(&t.ReplayTime, 2*time.Second)
	orDefault(&t.Workers, 16)
	orDefault(&t.Linger, 10*time.Second)
	orDefault(&t.HoleGrace, 25*time.Millisecond)
	orDefault(&t.HeadsGrace, 200*time.Millisecond)
	orDefault(&t.Backoff, 100*time.Millisecond)
	orDefault(&t.MaxBackoff, 2*time.Second)
	orDefault(&t.CallTimeout, 5*time.Second)
	return t
}

// Hub is one node's hub. All methods are safe for concurrent use.
type Hub struct {
	interest Interest
	logs     Logs
	logger   *slog.Logger
	metrics  *metrics.Metrics
	tuning   Tuning

	shards  [shardCount]shard
	follows follows
	held    budget
	cache   cache
	replays chan struct{} // holds one for each of Tuning.Replays
	repairs repairQueue
	resync  chan struct{} // holds one when a resync is wanted

	life life
}

// New makes a hub. Subscriptions can be made at once; holes are repaired while Run runs.
func New(o Options) *Hub {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = metrics.New(prometheus.NewRegistry())
	}
	h := &Hub{
		interest: o.Interest,
		logs:     o.Logs,
		logger:   o.Logger,
		metrics:  o.Metrics,
		tuning:   o.Tuning.withDefaults(),
		resync:   make(chan struct{}, 1),
		life:     newLife(),
	}
	h.held.limit, h.cache.limit = int64(h.tuning.HoldBytes), int64(h.tuning.RecentBytes)
	h.cache.full = make(chan struct{}, 1)
	h.replays = make(chan struct{}, h.tuning.Replays)
	h.repairs.wake = make(chan struct{}, h.tuning.Workers)
	h.initShards()
	h.follows.init()
	return h
}

// Run repairs logs until the context ends. It then ends what is in flight (subscriptions that are joining fail with
// UNAVAILABLE, as do later ones) and returns when nothing of the hub runs any more. It is called once.
func (h *Hub) Run(ctx context.Context) {
	var workers sync.WaitGroup
	for range h.tuning.Workers {
		workers.Go(func() { h.repairLoop(ctx) })
	}
	workers.Go(func() { h.resyncLoop(ctx) })
	workers.Go(func() { h.sweepLoop(ctx) })
	<-ctx.Done()
	h.life.end()
	workers.Wait()
}

// life ends the work that the hub does outside Run's own goroutines.
type life struct {
	ctx    context.Context // ends with the hub
	cancel context.CancelFunc
	mu     sync.Mutex
	ended  bool
	work   sync.WaitGroup
}

func newLife() life {
	ctx, cancel := context.WithCancel(context.Background())
	return life{ctx: ctx, cancel: cancel}
}

// spawn runs f in a goroutine that end waits for. It says false, and does nothing, after the end.
func (l *life) spawn(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	l.work.Go(f)
	return true
}

func (l *life) end() {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	l.cancel()
	l.work.Wait()
}
