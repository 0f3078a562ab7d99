package peer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// keyPrefix + name of the session: URL of the gateway that holds it. The names are hashes, so keys hold nothing that a
// client has typed.
const keyPrefix = "fliliy:sockjs:session:"

var (
	// claimScript returns the owner: this gateway unless there is another.
	claimScript = redis.NewScript(`
		local owner = redis.call('GET', KEYS[1])
		if owner and owner ~= ARGV[1] then return owner end
		redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
		return ARGV[1]`)
	// renewScript writes what Redis has forgotten anew, and leaves alone what has another owner by now.
	renewScript = redis.NewScript(`
		for _, key in ipairs(KEYS) do
			local owner = redis.call('GET', key)
			if not owner or owner == ARGV[1] then redis.call('SET', key, ARGV[1], 'PX', ARGV[2]) end
		end`)
	dropScript = redis.NewScript(`
		for _, key in ipairs(KEYS) do
			if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
		end`)
)

// batchKeys is how many keys one call names, so that Redis is not held up.
const batchKeys = 500

var errAway = errors.New("Redis does not answer") //nolint:staticcheck // a name

// Owner implements sockjs.Peers.
func (p *Peers) Owner(ctx context.Context, session string) (string, error) {
	if owner := p.known.get(session); owner != "" {
		return owner, nil
	}
	var owner string
	err := p.ask(ctx, func(ctx context.Context) (err error) {
		owner, err = p.opts.Redis.Get(ctx, keyPrefix+session).Result()
		if errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	if err != nil || owner == "" || owner == p.url {
		return "", err
	}
	p.known.put(session, owner)
	return owner, nil
}

// Claim implements sockjs.Peers.
func (p *Peers) Claim(ctx context.Context, session string) (string, error) {
	var owner string
	err := p.ask(ctx, func(ctx context.Context) (err error) {
		keys := []string{keyPrefix + session}
		owner, err = claimScript.Run(ctx, p.opts.Redis, keys, p.url, leaseTime.Milliseconds()).Text()
		return err
	})
	if err != nil {
		return "", err
	}
	if owner == p.url {
		p.held.add(session)
		return "", nil
	}
	p.known.put(session, owner)
	return owner, nil
}

// Release implements sockjs.Peers.
func (p *Peers) Release(session string) { p.held.release(session) }

// ask makes a call of a request. The client's leaving does not end it: what it has done must be known.
func (p *Peers) ask(ctx context.Context, call func(context.Context) error) error {
	if time.Now().UnixNano() < p.restUntil.Load() {
		return errAway
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), CallTimeout)
	defer cancel()
	if err := call(ctx); err != nil {
		p.restUntil.Store(time.Now().Add(restTime).UnixNano())
		return fmt.Errorf("ask who holds a session: %w", err)
	}
	return nil
}

// renew keeps the leases of all sessions held.
func (p *Peers) renew(ctx context.Context) {
	if err := p.inBatches(ctx, renewScript, p.held.all(), p.url, leaseTime.Milliseconds()); err != nil {
		p.opts.Logger.Warn("leases of SockJS sessions are not renewed: other gateways may not find them", "error", err)
	}
}

// drop gives leases up. Those that Redis does not hear of end by themselves.
func (p *Peers) drop(ctx context.Context, sessions []string) {
	if err := p.inBatches(ctx, dropScript, sessions, p.url); err != nil {
		p.opts.Logger.Debug("leases of SockJS sessions are left to end by themselves", "error", err)
	}
}

func (p *Peers) dropAll(ctx context.Context) {
	p.drop(ctx, append(p.held.all(), p.held.takeReleased()...))
}

func (p *Peers) inBatches(ctx context.Context, script *redis.Script, sessions []string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, renewEvery/2)
	defer cancel()
	for len(sessions) > 0 {
		n := min(len(sessions), batchKeys)
		keys := make([]string, n)
		for i, session := range sessions[:n] {
			keys[i] = keyPrefix + session
		}
		if err := script.Run(ctx, p.opts.Redis, keys, args...).Err(); err != nil && !errors.Is(err, redis.Nil) {
			return fmt.Errorf("write %d leases: %w", n, err)
		}
		sessions = sessions[n:]
	}
	return nil
}

// holdings are the sessions that this gateway has claimed.
type holdings struct {
	mu       sync.Mutex
	sessions map[string]struct{}
	gone     []string      // released, and still in Redis
	released chan struct{} // there are such
}

func newHoldings() holdings {
	return holdings{sessions: map[string]struct{}{}, released: make(chan struct{}, 1)}
}

func (h *holdings) add(session string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sessions[session] = struct{}{}
}

func (h *holdings) release(session string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.sessions, session)
	h.gone = append(h.gone, session)
	select {
	case h.released <- struct{}{}:
	default:
	}
}

func (h *holdings) all() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]string, 0, len(h.sessions))
	for session := range h.sessions {
		all = append(all, session)
	}
	return all
}

// takeReleased returns what is to be dropped: not what was claimed anew meanwhile.
func (h *holdings) takeReleased() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var gone []string
	for _, session := range h.gone {
		if _, again := h.sessions[session]; !again {
			gone = append(gone, session)
		}
	}
	h.gone = nil
	return gone
}
