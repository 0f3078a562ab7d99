package presence

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// go-redis writes each failed dial to standard error in its own format. All of it comes back to us as errors, which
// Ready and the log tell once; so its own voice is off in every program that has a Presence.
func init() { redis.SetLogger(silent{}) }

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// Dial makes a Redis client as presence wants it, from a redis:// or rediss:// URL: deadlines of the caller hold, a
// failed call is not repeated behind our back, and few connections are kept. secure, if any, is how a rediss:// server is
// to be spoken to. It does not connect yet.
func Dial(url string, secure *tls.Config) (*redis.Client, error) {
	opts, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("parse Redis URL (want redis://[user:password@]host:port[/db]): %w", err)
	}
	if secure != nil && opts.TLSConfig != nil {
		secure.ServerName = opts.TLSConfig.ServerName
		opts.TLSConfig = secure
	}
	opts.ContextTimeoutEnabled = true
	opts.MaxRetries = -1
	opts.DialerRetries = 1
	opts.DialTimeout = callTimeout
	opts.ReadTimeout = callTimeout
	opts.WriteTimeout = callTimeout
	opts.PoolSize = 4
	return redis.NewClient(opts), nil
}

// errLapsed says that the lease is not as this gateway left it: Redis has forgotten something.
var errLapsed = errors.New("the gateway's lease has lapsed")

// store is the gateway's side of the scripts. Only the worker uses it, but for look-ups.
type store struct {
	rdb     redis.UniversalClient
	gateway string
	opts    Options
	fence   uint64 // what the lease holds, if all went well
	heard   uint64 // the last call that was answered
	veteran bool   // the lease has been ours
}

func newStore(rdb redis.UniversalClient, gateway string, opts Options) *store {
	return &store{rdb: rdb, gateway: gateway, opts: opts}
}

// check refuses clients that spread keys over several servers.
func (s *store) check() error {
	switch s.rdb.(type) {
	case *redis.ClusterClient, *redis.Ring:
		return errors.New("presence cannot use Redis Cluster or a ring, because its key names are fixed and " +
			"scripts cannot span slots: give it the URL of one Redis primary, or Sentinel (ADR 0003)")
	}
	return nil
}

// call runs a script as the next one under the lease. Its effect is: all; none, with errLapsed; or unknown, with
// another error.
func (s *store) call(ctx context.Context, script *redis.Script, args ...any) (*answer, error) {
	fenced := make([]any, 0, 3+len(args))
	fenced = append(fenced, s.gateway, strconv.FormatUint(s.fence, 10), strconv.FormatUint(s.fence+1, 10))
	s.fence++
	values, err := s.run(ctx, script, append(fenced, args...))
	if err == nil && len(values) == 0 {
		err = errLapsed
	}
	return &answer{values: values}, err
}

func (s *store) run(ctx context.Context, script *redis.Script, args []any) ([]any, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	values, err := script.Run(ctx, s.rdb, nil, args...).Slice()
	if err == nil {
		s.heard = s.fence
	}
	return values, err
}

// acquire takes the lease. It returns the users this gateway has records of, and the changes of calls whose answer
// was lost.
func (s *store) acquire(ctx context.Context) (held []string, changes []Change, err error) {
	heard := s.heard
	s.fence++
	values, err := s.run(ctx, acquireScript, []any{
		s.gateway, s.fence, s.veteran, millis(s.opts.LeaseTTL), millis(pulseBeats * s.opts.LeaseEvery),
	})
	if err != nil {
		return nil, nil, fmt.Errorf("acquire presence lease: %w", err)
	}
	s.veteran = true
	a := answer{values: values}
	held = a.list()
	changes, err = parseChanges(a.list(), heard)
	return held, changes, errors.Join(a.err, err)
}

// applied is what came of writing records.
type applied struct {
	grace   bool   // not all is told yet
	told    []told // of each user
	changes []Change
}

// apply writes records. With force it does so as if all gateways were known to be back.
func (s *store) apply(ctx context.Context, records []record, force bool) (applied, error) {
	args := make([]any, 0, 1+3*len(records))
	args = append(args, force)
	for _, r := range records {
		args = append(args, r.user, r.text, r.told.String())
	}
	a, err := s.call(ctx, applyScript, args...)
	if err != nil {
		return applied{}, fmt.Errorf("write presence of %d users: %w", len(records), err)
	}
	done := applied{grace: a.flag()}
	for _, text := range a.list() {
		t, err := parseTold(text)
		if err != nil {
			return applied{}, err
		}
		done.told = append(done.told, t)
	}
	if len(done.told) != len(records) {
		return applied{}, fmt.Errorf("write presence of %d users: %d answered", len(records), len(done.told))
	}
	done.changes, err = parseChanges(a.list(), 0)
	return done, errors.Join(a.err, err)
}

// surroundings is what a beat sees.
type surroundings struct {
	grace  bool
	others []peer
	dead   []peer   // gateways that are being cleared away
	again  []string // users to be written again
}

// peer is another gateway: its id, and what its lease holds.
type peer struct{ id, lease string }

// beat renews the lease, and the lifetime of what was written for some users.
func (s *store) beat(ctx context.Context, records []record) (surroundings, error) {
	args := make([]any, 0, 1+2*len(records))
	args = append(args, millis(pulseBeats*s.opts.LeaseEvery))
	for _, r := range records {
		args = append(args, r.user, r.text)
	}
	a, err := s.call(ctx, beatScript, args...)
	if err != nil {
		return surroundings{}, fmt.Errorf("renew presence lease: %w", err)
	}
	seen := surroundings{grace: a.flag()}
	seen.others, seen.dead, seen.again = peers(a.list()), peers(a.list()), a.list()
	return seen, a.err
}

// peers reads id, lease, id, lease, …
func peers(texts []string) []peer {
	var found []peer
	for ; len(texts) > 1; texts = texts[2:] {
		found = append(found, peer{id: texts[0], lease: texts[1]})
	}
	return found
}

// reap clears up to a batch of users of a dead gateway away, if it is as it was seen and no other gateway does it.
func (s *store) reap(ctx context.Context, dead peer, force bool) (more bool, changes []Change, err error) {
	a, err := s.call(ctx, reapScript, dead.id, dead.lease, batch, millis(s.opts.LeaseTTL), force)
	if err != nil {
		return false, nil, fmt.Errorf("clear away dead gateway %s: %w", dead.id, err)
	}
	more = a.flag()
	changes, err = parseChanges(a.list(), 0)
	return more, changes, errors.Join(a.err, err)
}

// leave leaves this gateway's users to one of the others, if one is there.
func (s *store) leave(ctx context.Context, others []string) (left bool, err error) {
	args := make([]any, len(others))
	for i, id := range others {
		args[i] = id
	}
	a, err := s.call(ctx, leaveScript, args...)
	if err != nil {
		return false, fmt.Errorf("leave presence: %w", err)
	}
	return a.flag(), a.err
}

// release gives the lease up, once all records are withdrawn. It is for the last gateway: nobody is in touch any
// more.
func (s *store) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.rdb.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.Del(ctx, leaseKey(s.gateway), heldKey(s.gateway), changesKey(s.gateway), newsKey(s.gateway),
			pulseKey, graceKey)
		pipe.SRem(ctx, gatewaysKey, s.gateway)
		return nil
	})
	if err != nil {
		return fmt.Errorf("release presence lease: %w", err)
	}
	return nil
}

// statuses asks for the presence of users.
func (s *store) statuses(ctx context.Context, users []string) (map[string]Status, error) {
	keys := make([]string, 0, 2*len(users))
	for _, id := range users {
		keys = append(keys, statusKey(id), seenKey(id))
	}
	values, err := s.rdb.MGet(ctx, keys...).Result()
	if err != nil {
		return nil, fmt.Errorf("look up presence of %d users: %w", len(users), err)
	}
	found := make(map[string]Status, len(users))
	for i, id := range users {
		entry := Status{Status: offline}
		if name, online := values[2*i].(string); online {
			entry.Status = name
		}
		if seen, known := values[2*i+1].(string); known {
			var ms int64
			if _, err := fmt.Sscanf(seen, "%d", &ms); err != nil {
				return nil, fmt.Errorf("read when %q was last seen, %q: %w", id, seen, err)
			}
			entry.LastSeen = time.UnixMilli(ms)
		}
		found[id] = entry
	}
	return found, nil
}
