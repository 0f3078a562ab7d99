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

	"github.com/fliliy/chat/deploy/fleet"
)

// orphan is a message that was committed and not published, and when its replica died.
type orphan struct {
	room, seq int64
	at        time.Duration
}

// crashAfterCommit is row 3: a replica dies, or is frozen, with messages committed and not published. Every other time
// that happens under load, where the next message of the room betrays what is missing; in between with a last message,
// after which nobody says anything until it has come.
func crashAfterCommit(ctx context.Context, n *nemesis) (verdict, error) {
	var dead, frozen []orphan
	dies := func(r *replicaNode) error {
		<-r.Exited()
		return nil
	}
	thaws := func(r *replicaNode) error {
		if !pause(ctx, n.pace.freeze) {
			return ctx.Err()
		}
		return r.Signal(syscall.SIGCONT)
	}
	for i := range n.pace.points + 1 {
		strike := n.strikeBusy
		if i%2 == 0 {
			strike = n.strikeLast
		}
		found, err := strike(ctx, syscall.SIGUSR1, dies)
		if err != nil {
			return nil, err
		}
		dead = append(dead, found...)
		if err := errors.Join(n.lull(ctx), n.recover(ctx)); err != nil {
			return nil, err
		}
	}
	for _, strike := range []striking{n.strikeBusy, n.strikeLast} {
		found, err := strike(ctx, syscall.SIGUSR2, thaws)
		if err != nil {
			return nil, err
		}
		frozen = append(frozen, found...)
		if err := n.recover(ctx); err != nil {
			return nil, err
		}
	}
	points, freeze := n.pace.points+1, n.pace.freeze
	return func(f *facts) (string, bool) {
		died, late := f.worstOrphan(dead), f.worstOrphan(frozen)
		return fmt.Sprintf("%d crashes: %d messages at all subscribers within %s; frozen twice for %s: %d messages within %s",
			points, len(dead), seconds(died), freeze, len(frozen), seconds(late)), max(died, late) <= 2*time.Second
	}, nil
}

// striking arms the fault point of a replica with a signal, waits until it has acted, and does then what is to be done.
// It returns the messages that the replica had committed and not published.
type striking func(ctx context.Context, arm syscall.Signal, then func(*replicaNode) error) ([]orphan, error)

// strikeBusy strikes a replica that stores what the crowd says.
func (n *nemesis) strikeBusy(ctx context.Context, arm syscall.Signal, then func(*replicaNode) error) ([]orphan, error) {
	victim, err := n.busy(ctx)
	if err != nil {
		return nil, err
	}
	before := len(faultPoints(victim.LogFile))
	if err := victim.Signal(arm); err != nil {
		return nil, err
	}
	if !fleet.Poll(ctx, fleet.StartTimeout, func() bool { return len(faultPoints(victim.LogFile)) > before }) {
		return nil, fmt.Errorf("the fault point of %s does not act: is it busy, and built with -tags faultpoints?", victim.Name)
	}
	return n.struck(victim, before, then)
}

// strikeLast silences the crowd and strikes the replica that stores one last message. The silence is kept until the
// message has come to everybody in its room, or for a while.
func (n *nemesis) strikeLast(ctx context.Context, arm syscall.Signal, then func(*replicaNode) error) ([]orphan, error) {
	const patience, arming = 15 * time.Second, 50 * time.Millisecond
	n.crowd.quiet.Lock()
	defer n.crowd.quiet.Unlock()
	i := n.random.IntN(len(n.crowd.clients))
	sender, room := n.crowd.clients[i], n.crowd.roomsOf[i][0]
	victim, err := n.landing(ctx, sender, room)
	if err != nil {
		return nil, err
	}
	before := len(faultPoints(victim.LogFile))
	if err := victim.Signal(arm); err != nil {
		return nil, err
	}
	for len(faultPoints(victim.LogFile)) == before {
		if !victim.Alive() || !pause(ctx, arming) {
			return nil, errors.Join(fmt.Errorf("%s is armed and does not act", victim.Name), ctx.Err())
		}
		go func() { _, _ = sender.Send(ctx, room, "my last word") }() // the check looks at what comes of it
		_ = fleet.Poll(ctx, time.Second, func() bool { return len(faultPoints(victim.LogFile)) > before })
	}
	orphans, err := n.struck(victim, before, then)
	if err != nil || len(orphans) == 0 {
		return orphans, err
	}
	_ = fleet.Poll(ctx, patience, func() bool { return n.crowd.allHave(room, orphans[len(orphans)-1].seq) }) // the verdict says
	return orphans, nil
}

// landing says one thing for a client and returns the replica that stored it. Nobody else may talk.
func (n *nemesis) landing(ctx context.Context, sender *Client, room int64) (*replicaNode, error) {
	before := make([]float64, len(n.replicas))
	for i, r := range n.replicas {
		before[i], _ = r.Metric(ctx, storedMetric) // without one it has stored nothing yet
	}
	if _, err := sender.Send(ctx, room, "before my last word"); err != nil {
		return nil, err
	}
	for i, r := range n.replicas {
		if now, err := r.Metric(ctx, storedMetric); err == nil && now > before[i] {
			return r, nil
		}
	}
	return nil, errors.New("no replica has stored a message that was acknowledged")
}

// struck does what is to be done with a victim whose fault point has acted, and returns the messages it named.
func (n *nemesis) struck(victim *replicaNode, before int, then func(*replicaNode) error) ([]orphan, error) {
	at := n.now()
	points := faultPoints(victim.LogFile)
	if len(points) <= before {
		return nil, fmt.Errorf("the fault point of %s did not act", victim.Name)
	}
	n.say("%s has committed and not published %.60s", victim.Name, points[before])
	if err := then(victim); err != nil {
		return nil, err
	}
	return orphansOf(points[before], at)
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
