package faults

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/fliliy/chat/deploy/fleet"
)

// strangers are users with a connection and no room.
type strangers struct {
	users []string
	leave context.CancelFunc // all of them, for good
}

// invite connects users that follow no room, and returns when all are. Each name is used once.
func (n *nemesis) invite(ctx context.Context, what string, count int, first string, gateways []string) (*strangers, error) {
	run, leave := context.WithCancel(context.WithoutCancel(ctx))
	s := &strangers{leave: leave}
	var clients []*Client
	for i := range count {
		name := what + "-" + strconv.FormatUint(n.random.Uint64(), 36)
		token, err := n.token(name)
		if err != nil {
			leave()
			return nil, err
		}
		client := NewClient(ClientConfig{
			User: name, Token: func() string { return token }, Gateways: gateways, First: first,
			Seed: n.random.Uint64() + uint64(i), History: n.crowd.history, //nolint:gosec // i >= 0
		})
		n.crowd.run(run, client)
		s.users, clients = append(s.users, name), append(clients, client)
	}
	live, cancel := context.WithTimeout(ctx, crowdTimeout)
	defer cancel()
	for _, client := range clients {
		if err := client.AwaitLive(live); err != nil {
			leave()
			return nil, err
		}
	}
	return s, nil
}

// calm waits until presence has settled after whatever was before: nothing is held back, and the keys are right.
func (n *nemesis) calm(ctx context.Context) error {
	settled := func() bool {
		held, err := n.roster.rdb.Exists(ctx, graceKey).Result()
		return err == nil && held == 0
	}
	if !fleet.Poll(ctx, presenceWait, settled) {
		return errors.New("changes of presence are held back for ever, before anything is broken")
	}
	if err := n.lulls(ctx, 2*time.Second); err != nil { // two beats, to tell what was held back
		return err
	}
	if n.truth(ctx) >= presenceWait {
		return errors.New("the keys do not show who is connected, before anything is broken")
	}
	return nil
}

// wake is what a killed gateway leaves behind: users who never come back, and users who do.
type wake struct {
	gone, back int
	hidden     time.Duration // until the former were shown offline, all of them
	told       int           // changes of anybody's status that the other gateways told by then
	window     window
}

// killWithStrangers kills a gateway that has many users, and waits until those of them who stay away are offline.
func (n *nemesis) killWithStrangers(ctx context.Context, victim *gatewayNode) (wake, error) {
	socket := n.socketOf(victim)
	back, err := n.invite(ctx, "back", n.pace.strangers, socket, n.crowd.sockets())
	if err != nil {
		return wake{}, err
	}
	defer back.leave()
	gone, err := n.invite(ctx, "gone", n.pace.strangers, socket, []string{socket})
	if err != nil {
		return wake{}, err
	}
	defer gone.leave()
	if err := n.calm(ctx); err != nil {
		return wake{}, err
	}
	before, err := n.toldBy(ctx, victim)
	if err != nil {
		return wake{}, err
	}
	w, err := n.during(func() error {
		victim.Kill()
		gone.leave()
		if !fleet.Poll(ctx, presenceWait, func() bool { return n.roster.hidden(gone.users) }) {
			return ctx.Err()
		}
		return nil
	})
	if err != nil {
		return wake{}, err
	}
	if !pause(ctx, presentAfter) { // what is told is told by then
		return wake{}, ctx.Err()
	}
	after, err := n.toldBy(ctx, victim)
	return wake{len(gone.users), len(back.users), w.to - w.from, after - before, w}, err
}

// toldBy is how many changes of statuses the gateways have told since they began, but for one.
func (n *nemesis) toldBy(ctx context.Context, except *gatewayNode) (int, error) {
	sum := 0.0
	for _, g := range n.gateways {
		if g == except {
			continue
		}
		count, err := g.Metric(ctx, "fliliy_gateway_presence_changes_total")
		if err != nil {
			return 0, err
		}
		sum += count
	}
	return int(sum), nil
}

// verdict says whether those who stay away were offline in time, and who else was shown so.
func (w wake) verdict(f *facts, r *roster) (measured string, ok bool) {
	flickered := f.falselyOffline(r, w.window, leased)
	return fmt.Sprintf("%d users stay away: all offline after %s; %d come back and the crowd: %s shown offline; %d changes told",
			w.gone, seconds(w.hidden), w.back, names(flickered), w.told),
		w.hidden <= presenceBar && len(flickered) == 0 && w.told == w.gone
}

// emptyRedis is row 10: FLUSHALL, and later a kill and an empty restart.
func emptyRedis(ctx context.Context, n *nemesis) (verdict, error) {
	if err := n.calm(ctx); err != nil {
		return nil, err
	}
	before, err := n.during(func() error { return n.lulls(ctx, 10*time.Second) })
	if err != nil {
		return nil, err
	}
	var flushed, restarted time.Duration
	told, err := n.toldBy(ctx, nil)
	if err != nil {
		return nil, err
	}
	w, err := n.during(func() error {
		if err := n.roster.rdb.FlushAll(ctx).Err(); err != nil {
			return fmt.Errorf("empty Redis: %w", err)
		}
		n.say("Redis is emptied")
		flushed = n.truth(ctx)
		n.redis.Kill()
		n.say("Redis is killed")
		if err := n.lulls(ctx, 2*time.Second); err != nil {
			return err
		}
		if err := n.redis.Restart(); err != nil {
			return err
		}
		restarted = n.truth(ctx)
		return n.lulls(ctx, graceTime) // what is false is told by then
	})
	if err != nil {
		return nil, err
	}
	after, err := n.toldBy(ctx, nil)
	return func(f *facts) (string, bool) {
		usual, then := quantile(f.answers(before), 0.99), quantile(f.answers(w), 0.99)
		heard := f.falselyTold(n.crowd.history, w)
		return fmt.Sprintf("keys right %s after FLUSHALL, %s after an empty restart; nobody came or went: %d changes told, "+
				"%s heard; answers p99 %s, before %s", seconds(flushed), seconds(restarted), after-told, names(heard),
				seconds(then), seconds(usual)),
			max(flushed, restarted) <= presenceBar && after == told && len(heard) == 0 &&
				then <= max(usual*11/10, usual+50*time.Millisecond)
	}, err
}

// lulls waits.
func (n *nemesis) lulls(ctx context.Context, d time.Duration) error {
	if !pause(ctx, d) {
		return ctx.Err()
	}
	return nil
}

const newcomers = 40 // clients that connect while Redis is a black hole, and before

// redisBlackHole is row 11: Redis takes connections and answers nothing, for every gateway.
func redisBlackHole(ctx context.Context, n *nemesis) (verdict, error) {
	usual, err := n.welcome(ctx)
	if err != nil {
		return nil, err
	}
	before, err := n.during(func() error { return n.lulls(ctx, n.pace.partition) })
	if err != nil {
		return nil, err
	}
	var slow []time.Duration
	stale, right := time.Duration(0), time.Duration(0)
	w, err := n.during(func() error {
		for _, g := range n.gateways {
			g.toRedis.BlackHole()
		}
		began := n.now()
		n.say("nobody reaches Redis for %s, and nobody says so", n.pace.partition)
		if slow, err = n.welcome(ctx); err != nil {
			return err
		}
		if fleet.Poll(ctx, n.pace.partition, func() bool { return n.allDegraded(ctx) }) {
			stale = n.now() - began
		}
		return n.lulls(ctx, max(0, n.pace.partition-(n.now()-began)))
	})
	if err != nil {
		return nil, err
	}
	n.heal()
	right = n.truth(ctx)
	after, err := n.during(func() error { return n.lulls(ctx, graceTime) })
	w.to = after.to
	long := n.pace.partition > 8*time.Second
	return func(f *facts) (string, bool) {
		told, hidden := f.falselyTold(n.crowd.history, w), f.falselyOffline(n.roster, w, debounced)
		answer, then := quantile(f.answers(before), 0.99), quantile(f.answers(window{w.from, after.from}), 0.99)
		connect, connecting := quantile(usual, 0.9), quantile(slow, 0.9)
		const more = 50 * time.Millisecond
		return fmt.Sprintf("stale after %s; CONNECT p90 %s, before %s; answers p99 %s, before %s; keys right %s after it; "+
				"%s told false, %s shown offline", seconds(stale), seconds(connecting), seconds(connect), seconds(then),
				seconds(answer), seconds(right), names(told), names(hidden)),
			connecting <= connect+more && then <= answer+more && right <= presenceBar && len(told)+len(hidden) == 0 &&
				(!long || stale > 0 && stale <= 5*time.Second)
	}, err
}

// welcome connects some clients, one after the other, and returns how long each needed from the dial to CONNECTED.
func (n *nemesis) welcome(ctx context.Context) ([]time.Duration, error) {
	var took []time.Duration
	for range newcomers {
		from := n.now()
		one, err := n.invite(ctx, "new", 1, "", n.crowd.sockets())
		if err != nil {
			return nil, err
		}
		took = append(took, n.now()-from)
		one.leave()
	}
	return took, nil
}

// allDegraded says whether every gateway reports that it misses Redis.
func (n *nemesis) allDegraded(ctx context.Context) bool {
	for _, g := range n.gateways {
		if !g.Degraded(ctx) {
			return false
		}
	}
	return true
}

const halfOpenClients = 5

// halfOpen is row 16: everything between some clients and their gateway is lost, and nobody says so.
func halfOpen(ctx context.Context, n *nemesis) (verdict, error) {
	way, err := NewProxy("127.0.0.1:0", n.anyGateway().addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = way.Close() }() // it fails only where it was closed before
	socket := "ws://" + way.Addr() + "/ws"
	lost, err := n.invite(ctx, "lost", halfOpenClients, socket, []string{socket})
	if err != nil {
		return nil, err
	}
	defer lost.leave()
	if err := n.calm(ctx); err != nil {
		return nil, err
	}
	if err := n.lull(ctx); err != nil { // the cut comes at any moment between two beats
		return nil, err
	}
	w, err := n.during(func() error {
		way.BlackHole()
		n.say("%d clients are cut off without a word", halfOpenClients)
		if !fleet.Poll(ctx, presenceWait, func() bool { return n.roster.hidden(lost.users) }) {
			return ctx.Err()
		}
		return nil
	})
	return func(*facts) (string, bool) {
		return fmt.Sprintf("%d clients, all offline %s after the cut", halfOpenClients, seconds(w.to-w.from)),
			w.to-w.from <= 30*time.Second
	}, err
}
