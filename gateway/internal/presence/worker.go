package presence

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var errNotYet = errors.New("presence has not reached Redis yet; chat goes on without it")

// Run keeps Redis in step until ctx ends; then it takes this gateway's sessions offline, as far as Redis lets it within
// 5 seconds, and gives up its lease. It is called once. The only error is a client it cannot work with: trouble with
// Redis is waited out, see Ready.
func (p *Presence) Run(ctx context.Context) error {
	if err := p.store.check(); err != nil {
		return err
	}
	lease := time.NewTicker(p.opts.LeaseEvery)
	defer lease.Stop()
	refresh := time.NewTicker(p.opts.RefreshEvery)
	defer refresh.Stop()

	w := worker{Presence: p}
	w.turn(ctx, true)
	for {
		select {
		case <-ctx.Done():
			w.leave(context.WithoutCancel(ctx))
			return nil
		case <-lease.C:
			w.turn(ctx, true)
		case <-p.wake:
			w.turn(ctx, false)
		case <-refresh.C:
			p.touchAll()
		}
	}
}

// worker is the one goroutine that speaks to Redis.
type worker struct {
	*Presence
	held bool // the lease is ours, and Redis knows all we know except for dirty
}

// turn brings Redis in step, if it is there. Without a beat nothing is tried while Redis is away, so that a thousand
// changes are not a thousand attempts.
func (w *worker) turn(ctx context.Context, beat bool) {
	if !beat && !w.held && !errors.Is(w.Ready(), errLapsed) {
		return
	}
	err := w.sync(ctx, beat)
	if errors.Is(err, errLapsed) {
		w.opts.Logger.Warn("presence: Redis has lost what this gateway wrote; writing it again")
		err = w.sync(ctx, beat)
	}
	w.report(ctx, err)
}

// sync takes the lease if need be, and empties the waiting line.
func (w *worker) sync(ctx context.Context, beat bool) error {
	if !w.held {
		known, err := w.store.acquire(ctx)
		if err != nil {
			return err
		}
		w.rebuild(known)
		w.held = true
	}
	records := make([]record, 0, batch)
	for {
		records = w.take(records[:0])
		if len(records) == 0 && !beat {
			return nil
		}
		changes, err := w.store.apply(ctx, records)
		if err != nil {
			w.held = false
			return err
		}
		if len(changes) > 0 {
			w.opts.Notify(changes)
		}
		beat = false
	}
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

// leave takes all sessions of this gateway offline and gives up its lease.
func (w *worker) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, byeTimeout)
	defer cancel()
	w.forgetSessions()
	err := w.sync(ctx, false)
	if errors.Is(err, errLapsed) {
		err = w.sync(ctx, false)
	}
	if err == nil {
		err = w.store.release(ctx)
	}
	if err != nil {
		w.opts.Logger.Warn("presence: could not take this gateway's users offline; its lease will expire",
			"gateway", w.store.gateway, "error", err)
	}
}

// take moves up to a batch of users from the waiting line to records. What fails later is not lost: a rebuild writes
// every user with a session, and withdraws the records of those without.
func (p *Presence) take(records []record) []record {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(batch, len(p.dirty))
	for _, u := range p.dirty[:n] {
		u.queued = false
		records = append(records, u.record())
		if len(u.sessions) == 0 {
			delete(p.users, u.id)
		}
	}
	clear(p.dirty[:n]) // let go of users that are no more
	p.dirty = p.dirty[n:]
	if len(p.dirty) == 0 {
		p.dirty = nil
	}
	return records
}

// rebuild lines up everyone: those known here, and those Redis still has a record of from before.
func (p *Presence) rebuild(known []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range known {
		if p.users[id] == nil {
			p.users[id] = &user{id: id}
		}
	}
	for _, u := range p.users {
		p.touch(u)
	}
}

// idle empties the waiting line while Redis is away, and forgets who has gone: the rebuild on its return will line up
// everyone and hears from Redis whose record is to be withdrawn. So a long outage costs no memory.
func (p *Presence) idle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dirty = nil
	for id, u := range p.users {
		u.queued = false
		if len(u.sessions) == 0 {
			delete(p.users, id)
		}
	}
}

// touchAll lines up everyone, to renew what would expire.
func (p *Presence) touchAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range p.users {
		p.touch(u)
	}
}

// forgetSessions ends all sessions, and lets no new one begin.
func (p *Presence) forgetSessions() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	clear(p.sessions)
	for _, u := range p.users {
		u.sessions = nil
		p.touch(u)
	}
}
