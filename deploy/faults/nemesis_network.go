package faults

import (
	"context"
	"fmt"
	"time"

	"github.com/fliliy/chat/deploy/fleet"
)

// natsDown is row 4: NATS is killed, and comes back after a while.
func natsDown(ctx context.Context, n *nemesis) (verdict, error) {
	w, err := n.during(func() error {
		n.nats.Kill()
		n.say("NATS is killed for %s", n.pace.natsDown)
		if !pause(ctx, n.pace.natsDown) {
			return ctx.Err()
		}
		return n.nats.Start()
	})
	if err != nil {
		return nil, err
	}
	return func(f *facts) (string, bool) {
		acked := f.acked(w)
		late, complete := f.lateness(w), f.completeAfter(w)
		return fmt.Sprintf("away %s: %d sends acknowledged, by polling p99 %s, all complete %s after its return",
				(w.to - w.from).Round(100*time.Millisecond), acked, seconds(quantile(late, 0.99)), seconds(complete)),
			acked > 0 && complete <= 2*time.Second
	}, nil
}

// natsPartition is row 5: one gateway's way to NATS is a black hole for a while.
func natsPartition(ctx context.Context, n *nemesis) (verdict, error) {
	victim := n.crowded()
	noticed := time.Duration(0)
	w, err := n.during(func() error {
		victim.toNATS.BlackHole()
		began := time.Now()
		n.say("%s does not reach NATS for %s, and nobody says so", victim.Name, n.pace.partition)
		if fleet.Poll(ctx, n.pace.partition, func() bool { return !victim.Ready(ctx) }) {
			noticed = time.Since(began)
		}
		if !pause(ctx, n.pace.partition-time.Since(began)) {
			return ctx.Err()
		}
		victim.toNATS.Heal()
		return nil
	})
	if err != nil {
		return nil, err
	}
	long := n.pace.partition > 5*time.Second
	return func(f *facts) (string, bool) {
		late := f.lateness(w)
		worst := quantile(late, 1)
		text := "not noticed"
		if noticed > 0 {
			text = "noticed after " + seconds(noticed)
		}
		return fmt.Sprintf("%s, delivery p99 %s, worst %s", text, seconds(quantile(late, 0.99)), seconds(worst)),
			(!long || noticed > 0 && noticed <= 5*time.Second) && worst <= 5*time.Second
	}, nil
}

// crashSQL is row 7: PostgreSQL crashes and is started again.
func crashSQL(ctx context.Context, n *nemesis) (verdict, error) {
	var back []time.Duration // when it accepted again
	w, err := n.during(func() error {
		for range n.pace.crashes {
			n.postgres.Crash()
			n.say("PostgreSQL has crashed")
			if !pause(ctx, n.pace.sqlDown) {
				return ctx.Err()
			}
			if err := n.restartSQL(ctx); err != nil {
				return err
			}
			back = append(back, n.now())
			if err := n.recover(ctx); err != nil {
				return err
			}
			if err := n.lull(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	return func(f *facts) (string, bool) {
		dropped, answer, first := f.dropped(w, ""), f.longestAnswer(w), time.Duration(0)
		for _, at := range back {
			first = max(first, f.firstAck(at))
		}
		return fmt.Sprintf("%d crashes, %d sockets dropped, slowest answer %s, first acknowledgement %s after it accepts",
				len(back), dropped, seconds(answer), seconds(first)),
			dropped == 0 && answer <= 5*time.Second && first <= 5*time.Second
	}, err
}

// restartSQL starts PostgreSQL again; its port may be somebody's for a moment.
func (n *nemesis) restartSQL(ctx context.Context) error {
	var err error
	for range 5 {
		if err = n.postgres.Restart(ctx); err == nil {
			return nil
		}
		if !pause(ctx, time.Second) {
			return ctx.Err()
		}
	}
	return fmt.Errorf("start PostgreSQL again: %w", err)
}
