package bench

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/fliliy/chat/deploy/fleet"
	"github.com/fliliy/chat/deploy/loadgen/scenario"
	"github.com/fliliy/chat/deploy/loadgen/swarm"
)

// Growth are the rows of `make bench-growth`, or those named: how cost grows with processes, connections, the size of
// rooms, and time. The figures have no bars but where it is said.
func Growth(names ...string) ([]Row, error) {
	g := &growth{}
	for _, n := range []int{1, 2, 4} {
		size, name := Size{Gateways: n, Replicas: 1}, fmt.Sprintf("gateways-%d", n)
		g.add(name, "rooms-of-10", size, nil, busy...)
		g.add(name+"-fan-out", "fan-out-window", size, nil, busy...)
	}
	for _, n := range []int{1, 2} {
		g.add(fmt.Sprintf("chatsvcs-%d", n), "rooms-of-2", Size{Gateways: 2, Replicas: n}, nil,
			atLeast("accepted", "/s", 0, acceptedRate), atMost("server CPU per accepted", "µs", 0, acceptedCPU))
	}
	for _, n := range []int{1_000, 5_000, 15_000, 45_000} {
		g.add(fmt.Sprintf("connections-%d", n), "idle", Size{Gateways: max(1, n/15_000), Replicas: 1},
			func(s *scenario.Scenario) {
				s.About, s.Connections = fmt.Sprintf("%d idle connections, each with a room of two and the user's own queues", n), n
			},
			atMost("RSS of gateways per connection", "KiB", 0, rss("gateway")),
			atMost("server CPU per connection", "µs", 0, connectCPU), atLeast("connections", "/s", 0, connectRate))
	}
	for _, n := range []int{2, 10, 100, 1_000, 10_000} {
		g.add(fmt.Sprintf("rooms-%d", n), "rooms-of-10-paced", full, func(s *scenario.Scenario) {
			s.About = fmt.Sprintf("rooms of %d, 10,000 deliveries/s in all", n)
			s.Connections, s.Rooms = max(1_000, n), scenario.Rooms{Size: n, Each: 1, Senders: min(n, 10)}
			s.Load.Rate = 10_000 / float64(n)
		}, atMost("SEND to MESSAGE p99", "ms", 0, p99(swarm.MessageTime)),
			atMost("server CPU per delivery", "µs", 0, deliveryCPU))
	}
	g.add("soak", "day", full, func(s *scenario.Scenario) {
		s.About, s.Duration, s.Load.Churn = "the day for 20 minutes, 20 connections a second come and go", 20*time.Minute, 20
	}, atMost("drift of the gateways' RSS", "%", 5, drift("gateway")), atMost("drift of chatsvc's RSS", "%", 5, drift("chatsvc")),
		atMost("goroutines left", "", 10, func(r *Run) float64 { return r.Left.Goroutines }),
		atMost("file descriptors left", "", 4, func(r *Run) float64 { return r.Left.Files }))
	if g.err != nil {
		return nil, g.err
	}
	soak := &g.rows[len(g.rows)-1]
	soak.Leaks, soak.Env = true, []string{smallCache}
	return choose(g.rows, names)
}

// smallCache is the setting of a soak: a cache of recent events that is full before memory is looked at. The default takes
// seven minutes of the soak's messages to fill, which is no drift.
const smallCache = "FLILIY_GATEWAY_LIMIT_RECENT_BYTES=8388608"

var busy = []Figure{
	atLeast("deliveries", "/s", 0, deliveryRate), atMost("server CPU per delivery", "µs", 0, deliveryCPU),
	atMost("SEND to MESSAGE p99", "ms", 0, p99(swarm.MessageTime)),
}

// growth gathers rows.
type growth struct {
	rows []Row
	err  error
}

// add makes a row of a built-in scenario, changed.
func (g *growth) add(name, base string, size Size, change func(*scenario.Scenario), figures ...Figure) {
	s, err := scenario.Open(base)
	if err != nil {
		g.err = err
		return
	}
	s.Name = name
	if change != nil {
		change(&s)
	}
	g.rows = append(g.rows, Row{Name: name, Scenario: s, Size: size, Figures: figures})
}

// drift is how much a name's memory has changed between the second and the last fifth of the run, in per cent.
func drift(name string) func(*Run) float64 {
	return func(r *Run) float64 {
		fifth := len(r.Series) / 5
		if fifth == 0 {
			return 0
		}
		mean := func(from, to int) float64 {
			sum := 0.0
			for _, s := range r.Series[from:to] {
				sum += float64(s.RSS[name])
			}
			return sum / float64(to-from)
		}
		early, late := mean(fifth, 2*fifth), mean(len(r.Series)-fifth, len(r.Series))
		return 100 * math.Abs(late-early) / max(early, 1)
	}
}

// Left is what is there after a run and was not before, in all gateways and chatsvcs together.
type Left struct{ Goroutines, Files float64 }

// leaveTime is how long what clients have needed may outlive them: idle connections to PostgreSQL go after a minute.
const leaveTime = 2 * time.Minute

// counts reads what leaks would show in.
func counts(ctx context.Context, row *Row, on server) (now Left, err error) {
	if !row.Leaks {
		return Left{}, nil
	}
	for _, n := range on.profiled() {
		goroutines, err := n.Metric(ctx, "go_goroutines")
		if err != nil {
			return Left{}, err
		}
		files, err := n.Metric(ctx, "process_open_fds")
		if err != nil {
			return Left{}, err
		}
		now.Goroutines += goroutines
		now.Files += files
	}
	return now, nil
}

// leftovers waits a while until everything is as it was, and returns what is not.
func leftovers(ctx context.Context, row *Row, on server, before Left) (left Left, err error) {
	if !row.Leaks {
		return Left{}, nil
	}
	fleet.Poll(ctx, leaveTime, func() bool {
		var now Left
		now, err = counts(ctx, row, on)
		left = Left{max(0, now.Goroutines-before.Goroutines), max(0, now.Files-before.Files)}
		return err != nil || left == Left{}
	})
	return left, err
}
