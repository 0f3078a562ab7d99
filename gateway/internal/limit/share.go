package limit

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	syncEvery   = time.Second
	syncTimeout = 800 * time.Millisecond
	syncBatch   = 256             // users and rooms of one round trip
	forgetEvery = 10              // of syncEvery
	keyLife     = 2 * time.Minute // of a counter that nobody adds to
	// stale is from when on the last view of a counter says nothing about now: what was spent long ago has come back.
	stale = 4 * syncEvery

	keyPrefix = "fliliy:limit:" // + kind + ":" + user, or "room:" + room
)

// Run synchronises what users and rooms have spent with the other gateways, and forgets what has been idle, until ctx ends.
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
		l.share(ctx, append(l.users.takeSpent(), l.rooms.takeSpent()...))
		if n%forgetEvery == 0 {
			now := time.Now()
			l.users.forget(now)
			l.rooms.forget(now)
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

// share tells what users and rooms have spent here, and takes what they have spent elsewhere.
func (l *Limits) share(ctx context.Context, spenders []*party) {
	for batch := range slices.Chunk(spenders, syncBatch) {
		if l.opts.Redis == nil {
			for _, p := range batch {
				p.unlist()
			}
			continue
		}
		counters := countersOf(batch)
		if len(counters) == 0 {
			continue
		}
		err := l.shareBatch(ctx, counters)
		if was := l.away.Swap(err != nil); was != (err != nil) && ctx.Err() == nil {
			if err != nil {
				l.opts.Logger.Warn("rates of users and rooms hold for this gateway alone: Redis does not answer", "error", err)
			} else {
				l.opts.Logger.Info("rates of users and rooms hold over all gateways again")
			}
		}
	}
}

// counter is one counter in Redis: of one user or room, of one kind.
type counter struct {
	of    *party
	kind  Kind
	spent int64
	total *redis.IntCmd
}

func (c *counter) key() string {
	if c.of.name.room != 0 {
		return keyPrefix + "room:" + strconv.FormatInt(c.of.name.room, 10)
	}
	return keyPrefix + names[c.kind] + ":" + c.of.name.text
}

// countersOf takes what is to be told of spenders.
func countersOf(spenders []*party) (counters []counter) {
	for _, p := range spenders {
		spent, wanted := p.unlist()
		for kind := range kinds {
			if wanted[kind] {
				counters = append(counters, counter{of: p, kind: kind, spent: spent[kind]})
			}
		}
	}
	return counters
}

func (l *Limits) shareBatch(ctx context.Context, counters []counter) error {
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	pipe := l.opts.Redis.Pipeline()
	for i := range counters {
		c := &counters[i]
		key := c.key()
		c.total = pipe.IncrBy(ctx, key, c.spent)
		pipe.PExpire(ctx, key, keyLife)
	}
	_, err := pipe.Exec(ctx)
	for _, c := range counters {
		if total, err := c.total.Result(); err == nil {
			c.of.settle(c.kind, c.spent, total, time.Now())
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
