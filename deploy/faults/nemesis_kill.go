package faults

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// killGateways is row 1: kill -9 of the gateway that has the most clients, again and again.
func killGateways(ctx context.Context, n *nemesis) (verdict, error) {
	type death struct {
		at      time.Duration
		gateway string
	}
	var deaths []death
	for range n.pace.kills {
		victim := n.crowded()
		deaths = append(deaths, death{n.now(), n.socketOf(victim)})
		victim.kill()
		n.say("%s is killed", victim.name)
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
		return fmt.Sprintf("%d kills, %d clients back on the other and caught up: p99 %s, worst %s",
			len(deaths), len(took), seconds(p99), seconds(quantile(took, 1))), len(took) > 0 && p99 <= 5*time.Second
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
			victim.kill()
			n.say("%s is killed", victim.name)
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

// crashAfterCommit is row 3: a replica that dies, or is frozen, with messages committed and not published.
func crashAfterCommit(ctx context.Context, n *nemesis) (verdict, error) {
	var orphans []orphan
	for range n.pace.points {
		found, err := n.strike(ctx, syscall.SIGUSR1, func(r *replicaNode) error {
			<-r.exited()
			return nil
		})
		if err != nil {
			return nil, err
		}
		orphans = append(orphans, found...)
		if err := n.lull(ctx); err != nil {
			return nil, err
		}
		if err := n.recover(ctx); err != nil {
			return nil, err
		}
	}
	frozen, err := n.strike(ctx, syscall.SIGUSR2, func(r *replicaNode) error {
		if !pause(ctx, n.pace.freeze) {
			return ctx.Err()
		}
		return r.signal(syscall.SIGCONT)
	})
	if err != nil {
		return nil, err
	}
	points, freeze := n.pace.points, n.pace.freeze
	return func(f *facts) (string, bool) {
		dead, late := f.worstOrphan(orphans), f.worstOrphan(frozen)
		return fmt.Sprintf("%d crashes: %d messages at all subscribers within %s; frozen %s: %d messages within %s",
			points, len(orphans), seconds(dead), freeze, len(frozen), seconds(late)), max(dead, late) <= 2*time.Second
	}, nil
}

// orphan is a message that was committed and not published, and when its replica died.
type orphan struct {
	room, seq int64
	at        time.Duration
}

// strike arms the fault point of a busy replica with a signal, waits until it has acted, and does then what is to be
// done. It returns the messages that the replica had committed and not published.
func (n *nemesis) strike(ctx context.Context, arm syscall.Signal, then func(*replicaNode) error) ([]orphan, error) {
	victim, err := n.busy(ctx)
	if err != nil {
		return nil, err
	}
	before := len(faultPoints(victim.logFile))
	if err := victim.signal(arm); err != nil {
		return nil, err
	}
	struck := func() bool { return len(faultPoints(victim.logFile)) > before }
	if !poll(ctx, 30*time.Second, struck) {
		return nil, fmt.Errorf("the fault point of %s does not act: is it busy, and built with -tags faultpoints?", victim.name)
	}
	at := n.now()
	n.say("%s has committed and not published", victim.name)
	if err := then(victim); err != nil {
		return nil, err
	}
	return orphansOf(faultPoints(victim.logFile)[before], at)
}

// faultPoints are the lines in which fault points said what they did.
func faultPoints(logFile string) []string {
	const prefix = "faultpoint: committed, not published: "
	file, err := os.Open(logFile) //nolint:gosec // G304: our own log
	if err != nil {
		return nil
	}
	defer file.Close()
	var all []string
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if names, ok := strings.CutPrefix(lines.Text(), prefix); ok {
			all = append(all, names)
		}
	}
	return all
}

func orphansOf(names string, at time.Duration) ([]orphan, error) {
	var all []orphan
	for name := range strings.FieldsSeq(names) {
		room, seq, _ := strings.Cut(name, "-")
		r, err1 := strconv.ParseInt(room, 10, 64)
		s, err2 := strconv.ParseInt(seq, 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("read a fault point's message %q: %w", name, err)
		}
		all = append(all, orphan{r, s, at})
	}
	return all, nil
}

// rollingRestart is row 15: every gateway and every replica is asked to go (SIGTERM) and started again, one by one.
func rollingRestart(ctx context.Context, n *nemesis) (verdict, error) {
	w, err := n.during(func() error {
		for _, node := range n.nodes() {
			n.say("%s is asked to go", node.name)
			if err := node.stop(); err != nil {
				return err
			}
			if err := node.restart(ctx); err != nil {
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
		return fmt.Sprintf("%d sends failed, %d sockets broken without DRAIN and close code, at most %d reconnects of a client",
			failed, broken, most), failed == 0 && broken == 0 && most <= gateways
	}, err
}
