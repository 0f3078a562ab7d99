package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/fliliy/chat/deploy/fleet"
)

// nemesis breaks a cluster under a crowd. Each fault leaves it as it may be for the next one, after recover.
type nemesis struct {
	*cluster
	crowd  *crowd
	roster *roster
	pace   pace
	random *rand.Rand // of the present step alone
	say    func(format string, args ...any)
}

// pace is how long and how often faults are.
type pace struct {
	kills     int           // of a gateway or a replica, one after another
	points    int           // crashes between commit and publish
	freeze    time.Duration // SIGSTOP
	natsDown  time.Duration
	partition time.Duration
	sqlDown   time.Duration
	crashes   int // of PostgreSQL
	pairs     int // of faults at the same time
	copies    int // messages that are sent three times
	cycles    int // of UNSUBSCRIBE and SUBSCRIBE of each of a few clients
	strangers int // at a gateway that is killed, for good and for a moment, each
}

// paceFor fits one round of all faults into about the duration, as far as that is possible.
func paceFor(duration time.Duration) pace {
	full := min(1, float64(duration)/float64(6*time.Minute))
	span := func(most, least time.Duration) time.Duration {
		return max(least, time.Duration(full*float64(most)).Round(100*time.Millisecond))
	}
	count := func(most, least int) int { return max(least, int(full*float64(most))) }
	return pace{
		kills: count(5, 1), points: count(20, 1),
		freeze: span(10*time.Second, time.Second), natsDown: span(time.Minute, 2*time.Second),
		partition: span(30*time.Second, 2*time.Second), sqlDown: span(2*time.Second, 500*time.Millisecond),
		crashes: count(3, 1), pairs: count(4, 1), copies: count(500, 20), cycles: count(250, 20),
		strangers: count(1000, 20),
	}
}

// verdict reads from the quiet history what a fault did: the measured figure in words, and whether it meets the bar.
type verdict func(*facts) (measured string, ok bool)

// window is a stretch of the history's time.
type window struct{ from, to time.Duration }

// during runs what a fault does and returns when that was.
func (n *nemesis) during(do func() error) (window, error) {
	from := n.now()
	err := do()
	return window{from, n.now()}, err
}

func (n *nemesis) now() time.Duration { return n.crowd.history.Now() }

// between is a random time of a range.
func (n *nemesis) between(least, most time.Duration) time.Duration {
	return least + time.Duration(n.random.Int64N(int64(most-least)+1))
}

// lull lets the crowd talk for a random moment.
func (n *nemesis) lull(ctx context.Context) error {
	if !pause(ctx, n.between(300*time.Millisecond, 1200*time.Millisecond)) {
		return ctx.Err()
	}
	return nil
}

// recover heals everything, starts what is down, and returns when all processes are ready and all clients live.
func (n *nemesis) recover(ctx context.Context) error {
	n.heal()
	if err := n.raise(ctx); err != nil {
		return err
	}
	live, cancel := context.WithTimeout(ctx, crowdTimeout)
	defer cancel()
	if err := n.crowd.awaitLive(live); err != nil {
		return fmt.Errorf("clients do not recover: %w", err)
	}
	return nil
}

// raise starts the processes that are down, all together, and waits until all are ready.
func (n *nemesis) raise(ctx context.Context) error {
	if !n.nats.Alive() {
		if err := n.nats.Start(); err != nil {
			return err
		}
	}
	nodes := n.nodes()
	failed := make([]error, len(nodes))
	var raising sync.WaitGroup
	for i, node := range nodes {
		raising.Go(func() {
			if !node.Alive() {
				failed[i] = node.Start()
			}
			if failed[i] == nil {
				failed[i] = node.AwaitReady(ctx)
			}
		})
	}
	raising.Wait()
	return errors.Join(failed...)
}

// nodes are all gateways and replicas.
func (n *nemesis) nodes() []*fleet.Node {
	var all []*fleet.Node
	for _, g := range n.gateways {
		all = append(all, &g.Node)
	}
	for _, r := range n.replicas {
		all = append(all, &r.Node)
	}
	return all
}

// anyGateway and anyReplica choose a victim.
func (n *nemesis) anyGateway() *gatewayNode { return n.gateways[n.random.IntN(len(n.gateways))] }
func (n *nemesis) anyReplica() *replicaNode { return n.replicas[n.random.IntN(len(n.replicas))] }

// crowded is the gateway with the most clients: to kill an empty one proves nothing.
func (n *nemesis) crowded() *gatewayNode {
	count := map[string]int{}
	for _, c := range n.crowd.history.Connections() {
		if c.Live > 0 && c.Ended == 0 {
			count[c.Gateway]++
		}
	}
	best := 0
	for i := range n.gateways {
		if count[n.crowd.socket(i)] > count[n.crowd.socket(best)] {
			best = i
		}
	}
	return n.gateways[best]
}

// storedMetric counts the transactions of a replica.
const storedMetric = "fliliy_chatsvc_commit_batch_size_count"

// busy is a replica that stores messages now. Gateways choose replicas, and may all have chosen the same.
func (n *nemesis) busy(ctx context.Context) (*replicaNode, error) {
	before := make([]float64, len(n.replicas))
	var found *replicaNode
	look := func() bool {
		order := n.random.Perm(len(n.replicas))
		for _, i := range order {
			now, err := n.replicas[i].Metric(ctx, storedMetric)
			if err != nil {
				continue // down, or nothing stored yet
			}
			if before[i] > 0 && now > before[i] {
				found = n.replicas[i]
				return true
			}
			before[i] = now
		}
		return false
	}
	if !fleet.Poll(ctx, 30*time.Second, look) {
		return nil, errors.New("no replica stores messages")
	}
	return found, nil
}

// socketOf is the URL at which clients know a gateway.
func (n *nemesis) socketOf(g *gatewayNode) string { return "ws://" + g.addr + "/ws" }

// pause waits; false when the context ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
