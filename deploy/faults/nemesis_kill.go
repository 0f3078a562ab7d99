package faults

import (
	"context"
	"fmt"
	"time"
)

// killGateways is row 1: kill -9 of the gateway that has the most clients, again and again. The first time it has many
// more users: half of them never come back.
func killGateways(ctx context.Context, n *nemesis) (verdict, error) {
	type death struct {
		at      time.Duration
		gateway string
	}
	var deaths []death
	var first wake
	for i := range n.pace.kills {
		victim := n.crowded()
		if i == 0 {
			var err error
			if first, err = n.killWithStrangers(ctx, victim); err != nil {
				return nil, err
			}
			deaths = append(deaths, death{first.window.from, n.socketOf(victim)})
		} else {
			deaths = append(deaths, death{n.now(), n.socketOf(victim)})
			victim.Kill()
		}
		n.say("%s is killed", victim.Name)
		if err := n.lull(ctx); err != nil {
			return nil, err
		}
		if err := n.recover(ctx); err != nil {
			return nil, err
		}
	}
	return func(f *facts) (string, bool) {
		var took []time.Duration
		for _, d := range deaths {
			took = append(took, f.caughtUp(d.gateway, d.at)...)
		}
		p99 := quantile(took, 0.99)
		presence, right := first.verdict(f, n.roster)
		return fmt.Sprintf("%d kills, %d clients back on the other and caught up: p99 %s, worst %s; %s",
				len(deaths), len(took), seconds(p99), seconds(quantile(took, 1)), presence),
			len(took) > 0 && p99 <= 5*time.Second && right
	}, nil
}

// killReplicas is row 2: kill -9 of chatsvc replicas that are storing.
func killReplicas(ctx context.Context, n *nemesis) (verdict, error) {
	kills, service := 0, []time.Duration{}
	w, err := n.during(func() error {
		for range n.pace.kills {
			victim, err := n.busy(ctx)
			if err != nil {
				return err
			}
			at := n.now()
			victim.Kill()
			n.say("%s is killed", victim.Name)
			kills++
			service = append(service, at)
			if err := n.lull(ctx); err != nil {
				return err
			}
			if err := n.recover(ctx); err != nil {
				return err
			}
		}
		return n.lull(ctx)
	})
	return func(f *facts) (string, bool) {
		dropped, answer := f.dropped(w, ""), f.longestAnswer(w)
		back := time.Duration(0)
		for _, at := range service {
			back = max(back, f.firstAck(at))
		}
		return fmt.Sprintf("%d kills, %d sockets dropped, slowest answer %s, service back after %s",
			kills, dropped, seconds(answer), seconds(back)), dropped == 0 && answer <= 5*time.Second && back <= 3*time.Second
	}, err
}

// rollingRestart is row 15: every gateway and every replica is asked to go (SIGTERM) and started again, one by one.
func rollingRestart(ctx context.Context, n *nemesis) (verdict, error) {
	w, err := n.during(func() error {
		for _, node := range n.nodes() {
			n.say("%s is asked to go", node.Name)
			if err := node.Stop(); err != nil {
				return err
			}
			if err := node.Restart(ctx); err != nil {
				return err
			}
			if err := n.lull(ctx); err != nil {
				return err
			}
		}
		return n.recover(ctx)
	})
	gateways := len(n.gateways)
	return func(f *facts) (string, bool) {
		failed, broken, most := f.failed(w), f.unannounced(w), f.mostReconnects(w)
		offline := f.falselyOffline(n.roster, w, debounced)
		return fmt.Sprintf("%d sends failed, %d sockets broken without DRAIN and close code, at most %d reconnects of a client, "+
				"%s shown offline", failed, broken, most, names(offline)),
			failed == 0 && broken == 0 && most <= gateways && len(offline) == 0
	}, err
}
