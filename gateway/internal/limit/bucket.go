package limit

import "time"

// Rate is how often something may be done: PerSecond on average, Burst at once. Without PerSecond there is no limit.
type Rate struct{ PerSecond, Burst float64 }

// bucket counts towards a Rate. The zero value is one that nothing was taken from. Whoever owns it guards it.
type bucket struct {
	used float64 // of the burst; more than the burst after others have spent, too
	at   int64   // when used was right, in ns of time.Time.UnixNano
}

// wait tells how long until one can be taken; 0: now.
func (b *bucket) wait(r Rate, now time.Time) time.Duration {
	if r.PerSecond <= 0 {
		return 0
	}
	b.refill(r, now)
	over := b.used + 1 - max(1, r.Burst)
	if over <= 0 {
		return 0
	}
	return time.Duration(over / r.PerSecond * float64(time.Second))
}

// spend takes n without asking.
func (b *bucket) spend(r Rate, n float64, now time.Time) {
	if r.PerSecond > 0 {
		b.refill(r, now)
		b.used += n
	}
}

// giveBack undoes a spending of one.
func (b *bucket) giveBack(r Rate, now time.Time) {
	if r.PerSecond > 0 {
		b.refill(r, now)
		b.used = max(0, b.used-1)
	}
}

func (b *bucket) refill(r Rate, now time.Time) {
	at := now.UnixNano()
	if passed := time.Duration(at - b.at); passed > 0 {
		b.used = max(0, b.used-passed.Seconds()*r.PerSecond)
	}
	b.at = at
}

// isFull says whether all that was taken has come back.
func (b *bucket) isFull(r Rate, now time.Time) bool {
	b.refill(r, now)
	return b.used == 0
}
