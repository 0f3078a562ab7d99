package presence

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var errNotYet = errors.New("presence has not reached Redis yet; chat goes on without it")

// Run keeps Redis in step until ctx ends; then it leaves this gateway's users to the other gateways, which take those
// offline who do not come to them within a debounce, or, if there is none, takes them offline itself, as far as Redis
// lets it within 5 seconds. It is called once. The only error is a client it cannot work with: trouble with Redis is
// waited out, see Ready.
func (p *Presence) Run(ctx context.Context) error {
	if err := p.store.check(); err != nil {
		return err
	}
	beat := time.NewTicker(p.opts.LeaseEvery)
	defer beat.Stop()
	w := newWorker(p)
	w.turn(ctx, true)
	for {
		select {
		case <-ctx.Done():
			w.leave(context.WithoutCancel(ctx))
			return nil
		case <-beat.C:
			w.turn(ctx, true)
		case <-p.wake:
			w.turn(ctx, false)
		}
	}
}

// worker is the one goroutine that speaks to Redis.
type worker struct {
	*Presence
	held      bool                // the lease is ours, and Redis knows all we know except for dirty
	unsettled bool                // there was a grace: all has to be told again when it is over
	force     bool                // there is nobody to wait for
	peers     map[string]sighting // the other gateways, as long as we are in touch without a break
	due       []string            // users still to be renewed in this round
	share     int                 // of them with each beat
}

func newWorker(p *Presence) *worker {
	return &worker{Presence: p, peers: make(map[string]sighting)}
}

// turn brings Redis in step, if it is there. Without a beat nothing is tried while Redis is away, so that a thousand
// changes are not a thousand attempts.
func (w *worker) turn(ctx context.Context, beat bool) {
	w.expire()
	if !beat && !w.held {
		return
	}
	err := w.sync(ctx, beat)
	if errors.Is(err, errLapsed) {
		w.opts.Logger.Warn("presence: Redis has lost what this gateway wrote; writing it again", "gateway", w.store.gateway)
		err = w.sync(ctx, true)
	}
	w.report(ctx, err)
}

// sync takes the lease if need be, gives a sign of life, and empties the waiting line.
func (w *worker) sync(ctx context.Context, beat bool) (err error) {
	defer func() {
		if err != nil {
			w.held = false
			clear(w.peers) // how long they have been silent can only be told without a break
		}
	}()
	if !w.held {
		if err := w.acquire(ctx); err != nil {
			return err
		}
		w.held = true
	}
	if err := w.drain(ctx); err != nil || !beat {
		return err
	}
	if err := w.beat(ctx); err != nil {
		return err
	}
	return w.drain(ctx)
}

func (w *worker) acquire(ctx context.Context) error {
	known, changes, err := w.store.acquire(ctx)
	if err != nil {
		return err
	}
	w.notify(changes)
	w.rebuild(known)
	return nil
}

// drain writes everyone in the waiting line.
func (w *worker) drain(ctx context.Context) error {
	for {
		users, records := w.take()
		if len(users) == 0 {
			return nil
		}
		done, err := w.store.apply(ctx, records, w.force)
		if err != nil {
			return err
		}
		w.unsettled = w.unsettled || done.grace
		w.confirm(users, done)
		w.notify(done.changes)
	}
}

// beat gives a sign of life, renews a share of what was written, and looks after the other gateways.
func (w *worker) beat(ctx context.Context) error {
	seen, err := w.store.beat(ctx, w.nextDue())
	if err != nil {
		return err
	}
	w.touchUsers(seen.again)
	if w.unsettled && !seen.grace {
		w.unsettled = false
		w.touchAll()
	}
	w.unsettled = w.unsettled || seen.grace
	return w.reapAll(ctx, w.observe(seen))
}

func (w *worker) notify(changes []Change) {
	if len(changes) == 0 {
		return
	}
	for _, change := range changes {
		w.opts.Metrics.PresenceChanges.Inc(change.Status)
	}
	w.opts.Notify(changes)
}

// report keeps what Ready says, and logs when it changes.
func (w *worker) report(ctx context.Context, err error) {
	before := w.Ready()
	switch {
	case err == nil:
		if w.lost.Swap(nil) != nil {
			w.opts.Logger.Info("presence: in step with Redis", "gateway", w.store.gateway)
		}
	case ctx.Err() != nil: // it is our own end that broke the call
	default:
		w.idle()
		lost := fmt.Errorf("presence is degraded, chat goes on without it (check Redis): %w", err)
		w.lost.Store(&lost)
		if before == nil || errors.Is(before, errNotYet) {
			w.opts.Logger.Warn("presence: Redis is away; trying again until it is back", "error", err)
		}
	}
}

// leave ends this gateway's part.
func (w *worker) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, byeTimeout)
	defer cancel()
	w.closeDoor()
	left, err := w.handOver(ctx)
	if errors.Is(err, errLapsed) {
		left, err = w.handOver(ctx)
	}
	if err == nil && !left {
		err = w.switchOff(ctx)
	}
	if err != nil {
		w.opts.Logger.Warn("presence: could not take this gateway's users offline; another gateway will, or they expire",
			"gateway", w.store.gateway, "error", err)
	}
}

// handOver leaves this gateway's users to the others, if there are any.
func (w *worker) handOver(ctx context.Context) (left bool, err error) {
	if err := w.sync(ctx, true); err != nil {
		return false, err
	}
	if left, err = w.store.leave(ctx, w.alive()); err != nil {
		w.held = false
	}
	return left, err
}

// switchOff takes everyone offline, of dead gateways too: this is the last one.
func (w *worker) switchOff(ctx context.Context) error {
	w.force = true
	w.forgetSessions()
	if err := w.drain(ctx); err != nil {
		return err
	}
	if err := w.reapAll(ctx, w.silent()); err != nil {
		return err
	}
	return w.store.release(ctx)
}
