// Package fanin is the letterbox: it takes from NATS what this node's subscriptions need, and no more, and puts it into
// the hub. One NATS subscription per log, no goroutine per subject: subjects are spread over a few lanes, each a channel
// drained by one goroutine, so that what belongs to one log stays in order.
//
// NATS is a hint: it may lose, double and reorder. The fan-in's part in losing nothing is to tell the hub whenever
// something may have been lost (Resync): after every reconnect, while NATS is away (a poll, so that chats go on), and
// when a lane overflowed. It knows no session and keeps no position in a log; the hub does. gateway.go makes it, gives
// it to the hub as its Interest, and runs it with the hub.
package fanin

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/metrics"
	"github.com/fliliy/chat/proto/subject"
)

// Options are a fan-in's limits. A zero field takes its default.
type Options struct {
	Logger  *slog.Logger
	Metrics *metrics.Metrics
	Lanes   int           // goroutines that decode and deliver; 4
	Queue   int           // messages that may wait in a lane, at least 2; 8,192
	Poll    time.Duration // between resyncs while NATS is away; 2 s
	Timeout time.Duration // for a round trip to the NATS server; 5 s
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = metrics.New(prometheus.NewRegistry())
	}
	if o.Lanes == 0 {
		o.Lanes = 4
	}
	if o.Queue == 0 {
		o.Queue = 8192
	}
	if o.Poll == 0 {
		o.Poll = 2 * time.Second
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	return o
}

// Fanin is one node's fan-in. Its methods are safe for concurrent use, but calls of Add and Remove for one log must not
// overlap.
type Fanin struct {
	nc      *nats.Conn
	options Options
	lanes   []*lane
	heads   *lane
	flusher flusher
	seed    maphash.Seed
	status  chan nats.Status // the connection stands, or has broken
}

// New makes a fan-in on a connection of its own, best made with ConnOptions: Run sets the connection's handlers. The
// caller closes the connection after Run has returned.
func New(nc *nats.Conn, options Options) *Fanin {
	o := options.withDefaults()
	f := &Fanin{
		nc:      nc,
		options: o,
		flusher: flusher{nc: nc, timeout: o.Timeout},
		seed:    maphash.MakeSeed(),
		status:  nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING),
		heads:   newLane(o.Queue),
	}
	for range o.Lanes {
		f.lanes = append(f.lanes, newLane(o.Queue))
	}
	return f
}

// Run delivers to the hub until the context ends, and returns when nothing of the fan-in runs any more. It is called
// once. An error means that it could not begin.
func (f *Fanin) Run(ctx context.Context, hub Hub) error {
	f.setHandlers()
	defer f.clearHandlers()
	defer f.nc.RemoveStatusListener(f.status)
	digests, err := f.nc.ChanSubscribe(subject.Heads, f.heads.queue)
	if err != nil {
		return fmt.Errorf("subscribe %s: %w", subject.Heads, err)
	}
	defer func() { _ = digests.Unsubscribe() }() // fails only on a closed connection

	var lanes sync.WaitGroup
	for _, l := range f.lanes {
		lanes.Go(func() {
			l.drain(ctx, f.overflow(hub), func(m *nats.Msg) { f.take(l, m, hub) })
		})
	}
	lanes.Go(func() {
		f.heads.drain(ctx, f.overflow(hub), func(m *nats.Msg) { f.takeHeads(m, hub) })
	})
	f.watch(ctx, hub)
	lanes.Wait()
	return nil
}

// Add takes an interest in a log. When it has returned without error, every event published later will arrive, or the
// hub will be told to resync. That is also so while NATS is away: then the poll brings events until the interest is
// live with the connection. An error means that the interest is not taken.
func (f *Fanin) Add(ctx context.Context, log event.Log) error {
	name := subjectOf(log)
	l := f.lane(name)
	if !l.has(name) {
		sub, err := f.nc.ChanSubscribe(name, l.queue)
		if err != nil {
			return fmt.Errorf("subscribe %s: %w", name, err)
		}
		l.put(name, &interest{log: log, destination: log.Destination(), sub: sub})
	}
	if err := f.flusher.flush(ctx); err != nil {
		f.Remove(log)
		return fmt.Errorf("wait for NATS to know of %s: %w", name, err)
	}
	return nil
}

// Remove gives the interest up. It is ignored when there is none.
func (f *Fanin) Remove(log event.Log) {
	name := subjectOf(log)
	if in := f.lane(name).remove(name); in != nil {
		_ = in.sub.Unsubscribe() // fails only on a closed connection, which has forgotten it anyway
	}
}

// Ready says whether NATS is connected; the error says what to look at.
func (f *Fanin) Ready(context.Context) error {
	if f.nc.IsConnected() {
		return nil
	}
	return fmt.Errorf("NATS is %s: events come late, by polling; check the NATS servers and the way to them: %w",
		f.nc.Status(), cmp.Or(f.nc.LastError(), nats.ErrDisconnected))
}

func subjectOf(log event.Log) string {
	if log.Room > 0 {
		return subject.Room(log.Room)
	}
	return subject.User(log.User)
}

// lane returns the lane of a subject, always the same one.
func (f *Fanin) lane(name string) *lane {
	return f.lanes[maphash.String(f.seed, name)%uint64(len(f.lanes))]
}
