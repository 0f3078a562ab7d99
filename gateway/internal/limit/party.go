package limit

import (
	"hash/maphash"
	"sync"
	"time"
)

// name is whose buckets a party's are: a room's, or those of the user or the address of a text. The zero value is
// nobody's.
type name struct {
	text string
	room int64
}

// party is a user, an address or a room.
type party struct {
	name  name
	owner *parties
	held  int // by sessions and calls under way; the shard's lock guards it

	mu      sync.Mutex // under it at most an address's is taken, and the owner's
	buckets [kinds]bucket
	inside  int // connections or sessions
	shared  shared
}

// shared is what a user has spent here and elsewhere. mu guards it.
type shared struct {
	listed bool             // in parties.spent
	spent  [kinds]int64     // here, and not told yet
	wanted [kinds]bool      // what was spent elsewhere matters: something was spent here, or refused
	seen   [kinds]int64     // the counter as it was told last
	synced [kinds]time.Time // when that was
}

// parties are all users, all addresses or all rooms that a limit remembers something about.
type parties struct {
	rates  Rates
	seed   maphash.Seed
	shards [64]shard

	mu    sync.Mutex
	spent []*party // have spent since the last synchronisation, each once
}

func newParties(rates Rates) *parties {
	all := &parties{rates: rates, seed: maphash.MakeSeed()}
	for i := range all.shards {
		all.shards[i].known = map[name]*party{}
	}
	return all
}

// shard is one part of the parties, with a lock of its own.
type shard struct {
	sync.Mutex
	known map[name]*party
}

func (all *parties) shardOf(of name) *shard {
	if of.room != 0 {
		return &all.shards[uint64(of.room)%uint64(len(all.shards))] //nolint:gosec // G115: any number will do
	}
	return &all.shards[maphash.String(all.seed, of.text)%uint64(len(all.shards))]
}

// hold returns the party of a user or an address, and keeps it from being forgotten until drop; nil for "".
func (all *parties) hold(text string) *party { return all.holdName(name{text: text}) }

func (all *parties) holdName(of name) *party {
	if of == (name{}) {
		return nil
	}
	shard := all.shardOf(of)
	shard.Lock()
	defer shard.Unlock()
	p := shard.known[of]
	if p == nil {
		p = &party{name: of, owner: all}
		shard.known[of] = p
	}
	p.held++
	return p
}

func (all *parties) drop(p *party) {
	if p == nil {
		return
	}
	shard := all.shardOf(p.name)
	shard.Lock()
	p.held--
	shard.Unlock()
}

// forget lets go of all that nobody holds and whose buckets are full again.
func (all *parties) forget(now time.Time) {
	for i := range all.shards {
		shard := &all.shards[i]
		shard.Lock()
		for name, p := range shard.known {
			if p.held == 0 && p.isIdle(now) {
				delete(shard.known, name)
			}
		}
		shard.Unlock()
	}
}

func (p *party) isIdle(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inside > 0 || p.shared.listed {
		return false
	}
	for kind := range p.buckets {
		if !p.buckets[kind].isFull(p.owner.rates[kind], now) {
			return false
		}
	}
	return true
}

// wait tells how long until one of a kind may be taken; 0: now.
func (p *party) wait(kind Kind, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waitLocked(kind, now)
}

// waitLocked is wait for those who hold mu.
func (p *party) waitLocked(kind Kind, now time.Time) time.Duration {
	wait := p.buckets[kind].wait(p.owner.rates[kind], now)
	if wait > 0 {
		p.list(kind)
	}
	return wait
}

// take takes one, or tells how long that has to wait.
func (p *party) take(kind Kind, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := p.waitLocked(kind, now)
	if wait == 0 {
		p.spend(kind, 1, now)
	}
	return wait
}

// charge takes n without asking.
func (p *party) charge(kind Kind, n int64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spend(kind, n, now)
}

// spend takes n. Call it under mu.
func (p *party) spend(kind Kind, n int64, now time.Time) {
	rate := p.owner.rates[kind]
	if rate.PerSecond <= 0 {
		return
	}
	p.buckets[kind].spend(rate, float64(n), now)
	p.shared.spent[kind] += n
	p.list(kind)
}

// giveBack undoes a take. What gateways have been told already stays told: they take it for spent.
func (p *party) giveBack(kind Kind, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.buckets[kind].giveBack(p.owner.rates[kind], now)
	if p.shared.spent[kind] > 0 {
		p.shared.spent[kind]--
	}
	if p.shared.spent[kind] == 0 {
		p.shared.wanted[kind] = false
	}
}

// list sees to it that a kind is synchronised. Call it under mu.
func (p *party) list(kind Kind) {
	p.shared.wanted[kind] = true
	if !p.shared.listed {
		p.shared.listed = true
		p.owner.mu.Lock()
		p.owner.spent = append(p.owner.spent, p)
		p.owner.mu.Unlock()
	}
}

// enter counts one more inside, unless there are as many as may be (0: any number).
func (p *party) enter(most int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if most > 0 && p.inside >= most {
		return false
	}
	p.inside++
	return true
}

func (p *party) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inside--
}

func (p *party) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inside
}

// takeSpent returns those that have spent since the last call. Each has to be told by unlist.
func (all *parties) takeSpent() []*party {
	all.mu.Lock()
	defer all.mu.Unlock()
	spent := all.spent
	all.spent = nil
	return spent
}

// unlist returns what a party has spent since the last call, and of which kinds it wants to know what others have.
func (p *party) unlist() (spent [kinds]int64, wanted [kinds]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	spent, wanted = p.shared.spent, p.shared.wanted
	p.shared.spent, p.shared.wanted, p.shared.listed = [kinds]int64{}, [kinds]bool{}, false
	return spent, wanted
}
