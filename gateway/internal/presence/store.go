package presence

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed scripts/*.lua
var scripts embed.FS

var (
	acquireScript = mustScript("scripts/acquire.lua")
	applyScript   = mustScript("scripts/apply.lua")
	onlineScript  = mustScript("scripts/online.lua")
)

func mustScript(name string) *redis.Script {
	source, err := scripts.ReadFile(name)
	if err != nil {
		panic(err) // it is embedded
	}
	return redis.NewScript(string(source))
}

// go-redis writes each failed dial to standard error in its own format. All of it comes back to us as errors, which
// Ready and the log tell once; so its own voice is off in every program that has a Presence.
func init() { redis.SetLogger(silent{}) }

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// Dial makes a Redis client as presence wants it, from a redis:// or rediss:// URL: deadlines of the caller hold, a
// failed call is not repeated behind our back, and few connections are kept. It does not connect yet.
func Dial(url string) (*redis.Client, error) {
	opts, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("parse Redis URL (want redis://[user:password@]host:port[/db]): %w", err)
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

// store is the gateway's side of the scripts. Only the worker uses it.
type store struct {
	rdb      redis.UniversalClient
	gateway  string
	leaseTTL time.Duration
	fence    uint64 // what the lease holds, if all went well
}

func newStore(rdb redis.UniversalClient, gateway string, leaseTTL time.Duration) *store {
	return &store{rdb: rdb, gateway: gateway, leaseTTL: leaseTTL}
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

// acquire takes the lease and returns the users this gateway has records of.
func (s *store) acquire(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	s.fence++
	keys := []string{leaseKey(s.gateway), heldKey(s.gateway), gatewaysKey}
	held, err := acquireScript.Run(ctx, s.rdb, keys,
		s.gateway, s.fence, s.leaseTTL.Milliseconds(), life.Milliseconds()).StringSlice()
	if err != nil {
		return nil, fmt.Errorf("acquire presence lease: %w", err)
	}
	return held, nil
}

// apply renews the lease and writes records: all of them, or none with errLapsed, or unknown with another error.
func (s *store) apply(ctx context.Context, records []record) ([]Change, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	keys := make([]string, 0, 4+3*len(records))
	keys = append(keys, leaseKey(s.gateway), heldKey(s.gateway), gatewaysKey, onlineUsersKey)
	args := make([]any, 0, 7+2*len(records))
	args = append(args, s.gateway, strconv.FormatUint(s.fence, 10), strconv.FormatUint(s.fence+1, 10),
		s.leaseTTL.Milliseconds(), life.Milliseconds(), leasePrefix, roomUsersPrefix)
	for _, r := range records {
		keys = append(keys, statusKey(r.user), userRoomsKey(r.user), recordKey(r.user))
		args = append(args, r.user, r.text)
	}
	s.fence++
	answer, err := applyScript.Run(ctx, s.rdb, keys, args...).StringSlice()
	if err != nil {
		return nil, fmt.Errorf("write presence of %d users: %w", len(records), err)
	}
	if len(answer) == 0 {
		return nil, errLapsed
	}
	return parseChanges(answer)
}

// parseChanges reads a script's answer: the time in ms, then user and status of each change.
func parseChanges(answer []string) ([]Change, error) {
	ms, err := strconv.ParseInt(answer[0], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("read the time in a presence script's answer: %w", err)
	}
	var changes []Change
	for i := 1; i+1 < len(answer); i += 2 {
		changes = append(changes, Change{User: answer[i], Status: answer[i+1], At: time.UnixMilli(ms)})
	}
	return changes, nil
}

// release gives the lease up, once all records are withdrawn.
func (s *store) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.rdb.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.Del(ctx, leaseKey(s.gateway), heldKey(s.gateway))
		pipe.SRem(ctx, gatewaysKey, s.gateway)
		return nil
	})
	if err != nil {
		return fmt.Errorf("release presence lease: %w", err)
	}
	return nil
}
