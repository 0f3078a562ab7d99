package faults

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/fliliy/chat/deploy/fleet"
)

// blow is a simple fault that can overlap with another one.
type blow struct {
	name   string
	strike func() error
	mend   func() error
}

// blows are the simple faults, with victims drawn now.
func (n *nemesis) blows(ctx context.Context) []blow {
	gateway, replica := n.anyGateway(), n.anyReplica()
	lost, frozen := n.anyGateway(), n.anyReplica()
	way := lost.toChatsvc[n.random.IntN(len(lost.toChatsvc))]
	none := func() error { return nil }
	quiet := func(f func()) func() error { return func() error { f(); return nil } }
	return []blow{
		{gateway.Name + " killed", quiet(gateway.Kill), none},
		{replica.Name + " killed", quiet(replica.Kill), none},
		{
			frozen.Name + " frozen", func() error { return ignoreDead(frozen.Signal(syscall.SIGSTOP)) },
			func() error { return ignoreDead(frozen.Signal(syscall.SIGCONT)) },
		},
		{"NATS killed", quiet(n.nats.Kill), none},
		{"PostgreSQL crashed", quiet(n.postgres.Crash), func() error { return n.restartSQL(ctx) }},
		{"Redis killed", quiet(n.redis.Kill), n.redis.Restart},
		{lost.Name + " cut off from NATS", quiet(lost.toNATS.BlackHole), quiet(lost.toNATS.Heal)},
		{lost.Name + " cut off from a replica", quiet(way.BlackHole), quiet(way.Heal)},
		{lost.Name + " refused by Redis", quiet(lost.toRedis.Refuse), quiet(lost.toRedis.Heal)},
		{
			replica.Name + " slow to PostgreSQL", quiet(func() { replica.toSQL.Delay(200 * time.Millisecond) }),
			quiet(replica.toSQL.Heal),
		},
		{replica.Name + " cut off from PostgreSQL", quiet(replica.toSQL.BlackHole), quiet(replica.toSQL.Heal)},
		{replica.Name + " cut off from NATS", quiet(replica.toNATS.BlackHole), quiet(replica.toNATS.Heal)},
	}
}

// ignoreDead takes it as done when the victim of a signal is dead already.
func ignoreDead(err error) error {
	if errors.Is(err, fleet.ErrNotRunning) {
		return nil
	}
	return err
}

// pairs is row 26: two faults at once, drawn from the seed, again and again.
func pairs(ctx context.Context, n *nemesis) (verdict, error) {
	var done []string
	for range n.pace.pairs {
		all := n.blows(ctx)
		order := n.random.Perm(len(all))
		one, two := all[order[0]], all[order[1]]
		done = append(done, one.name+" + "+two.name)
		n.say("%s, and %s", one.name, two.name)
		if err := n.both(ctx, one, two); err != nil {
			return nil, fmt.Errorf("%s + %s: %w", one.name, two.name, err)
		}
		if err := n.recover(ctx); err != nil {
			return nil, fmt.Errorf("after %s + %s: %w", one.name, two.name, err)
		}
	}
	return func(*facts) (string, bool) { return strings.Join(done, "; "), true }, nil
}

func (n *nemesis) both(ctx context.Context, one, two blow) error {
	longest := max(n.pace.partition/5, time.Second)
	if err := one.strike(); err != nil {
		return err
	}
	if !pause(ctx, n.between(0, time.Second)) {
		return ctx.Err()
	}
	failed := two.strike()
	if !pause(ctx, n.between(longest/4, longest)) {
		failed = errors.Join(failed, ctx.Err())
	}
	first, second := one.mend, two.mend
	if n.random.IntN(2) == 0 {
		first, second = second, first
	}
	failed = errors.Join(failed, first())
	if !pause(ctx, n.between(0, time.Second)) {
		failed = errors.Join(failed, ctx.Err())
	}
	return errors.Join(failed, second())
}
