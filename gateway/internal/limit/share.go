package limit

import (
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	syncEvery   = time.Second
	syncTimeout = 800 * time.Millisecond
	syncBatch   = 256             // users of one round trip
	forgetEvery = 10              // of syncEvery
	keyLife     = 2 * time.Minute // of a counter that nobody adds to
	// stale is from when on the last view of a counter says nothing about now: what was spent long ago has come back.
	stale = 4 * syncEvery

	keyPrefix = "fliliy:limit:" // + kind + ":" + user
)

// Run synchronises what users have spent with the other gateways, and forgets who has been idle, until ctx ends.
func (l *Limits) Run(ctx context.Context) error {
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		l.addresses.takeOwn()
		l.share(ctx, l.users.takeSpent())
		if n%forgetEvery == 0 {
			now := time.Now()
			l.users.forget(now)
			l.addresses.forget(now)
		}
	}
}

// takeOwn empties the list of parties that nobody else is told about.
func (all *parties) takeOwn() {
	for _, p := range all.takeSpent() {
		p.unlist()
	}
}

// share tells what users have spent here, and takes what they have spent elsewhere.
func (l *Limits) share(ctx context.Context, users []*party) {
	for batch := range slices.Chunk(users, syncBatch) {
		if l.opts.Redis == nil {
			for _, p := range batch {
				p.unlist()
			}
			continue
		}
		err := l.shareBatch(ctx, batch)
		if was := l.away.Swap(err != nil); was != (err != nil) && ctx.Err() == nil {
			if err != nil {
				l.opts.Logger.Warn("rates of users hold for this gateway alone: Redis does not answer", "error", err)
			} else {
				l.opts.Logger.Info("rates of users hold over all gateways again")
			}
		}
	}
}

// counter is one counter in Redis: of one user, of one kind.
type counter struct {
	user  *party
	kind  Kind
	spent int64
	total *redis.IntCmd
}

func (l *Limits) shareBatch(ctx context.Context, users []*party) error {
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	pipe := l.opts.Redis.Pipeline()
	var counters []counter
	for _, user := range users {
		spent, wanted := user.unlist()
		for kind := range kinds {
			if !wanted[kind] {
				continue
			}
			key := keyPrefix + names[kind] + ":" + user.name
			total := pipe.IncrBy(ctx, key, spent[kind])
			pipe.PExpire(ctx, key, keyLife)
			counters = append(counters, counter{user, kind, spent[kind], total})
		}
	}
	if len(counters) == 0 {
		return nil
	}
	_, err := pipe.Exec(ctx)
	for _, c := range counters {
		if total, err := c.total.Result(); err == nil {
			c.user.settle(c.kind, c.spent, total, time.Now())
		}
	}
	return err
}

// settle takes what others have spent since the last view of a counter. A counter that has gone back was lost.
func (p *party) settle(kind Kind, spent, total int64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.shared.seen[kind]
	p.shared.seen[kind] = total
	fresh := now.Sub(p.shared.synced[kind]) < stale
	p.shared.synced[kind] = now
	if elsewhere := total - before - spent; fresh && elsewhere > 0 {
		p.buckets[kind].spend(p.owner.rates[kind], float64(elsewhere), now)
	}
}
