package publish

import (
	"context"
	"errors"
	"time"
)

// lookPatience is how long the store may take to say what changed.
const lookPatience = 3 * time.Second

// runLooks asks the store again and again which logs changed, and has those named that this process was not told of:
// what another replica stored, above all one that ended or was cut off before it told anybody.
func (p *Publisher) runLooks(ctx context.Context) {
	tick := time.NewTicker(p.opts.Interval / 2)
	defer tick.Stop()
	last := time.Now().Add(-p.opts.FirstWindow) // the begin of the last look that saw something
	for {
		start := time.Now()
		if p.look(ctx, start.Sub(last)+p.opts.Window) {
			last = start
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look takes note of the logs that changed within the window; false when the store does not answer.
func (p *Publisher) look(ctx context.Context, window time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	heads, err := p.opts.Changes.RecentHeads(ctx, window)
	if found, forgotten := p.heads.seen(heads); found+forgotten > 0 {
		p.opts.Metrics.HeadsFound.Add(float64(found))
		p.headsFull.Add(float64(forgotten))
		select {
		case p.found <- struct{}{}:
		default:
		}
	}
	if err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		p.opts.Metrics.LooksFailed.Inc()
	}
	return err == nil
}
