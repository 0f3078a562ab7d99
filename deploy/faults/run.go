package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"
)

// Options say what Run does. Seed, Duration and Rows alone decide which faults there are, and who suffers them.
type Options struct {
	Seed     uint64
	Duration time.Duration // of all faults together, about
	Rows     []int         // of the fault matrix; see Rows

	Clients, Rooms, RoomsEach int     // users with a client, rooms, and how many of these each user is in
	Rate                      float64 // messages a second that all clients together send
	Gateways, Replicas        int

	Progress io.Writer // gets a line for everything that happens
}

// Default is a run of some minutes on a machine with two cores.
func Default() Options {
	return Options{
		Seed: 1, Duration: 6 * time.Minute, Rows: Rows(), Clients: 200, Rooms: 50, RoomsEach: 4, Rate: 500,
		Gateways: 2, Replicas: 2, Progress: io.Discard,
	}
}

func (o *Options) check() error {
	switch {
	case o.Clients < 2 || o.Rooms < 1 || o.RoomsEach < 1:
		return fmt.Errorf("%d clients in %d of %d rooms each: at least 2 clients and 1 room are needed",
			o.Clients, o.RoomsEach, o.Rooms)
	case o.Rate <= 0 || o.Duration <= 0:
		return errors.New("rate and duration must be more than 0")
	case o.Gateways < 2 || o.Replicas < 2:
		return errors.New("at least 2 gateways and 2 chatsvc replicas are needed: one has to live when the other dies")
	case len(o.Rows) == 0:
		return errors.New("no fault is asked for")
	}
	return nil
}

// Run starts a cluster and clients, breaks it as the seed says, heals it, waits until everything has settled, and
// checks the history against the store. An error means that the run could not be made; what it found out, bad or
// good, is in the Result. It takes the duration and about a minute. Where something was wrong, the folder with the
// logs of all processes is kept.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "fliliy-faults-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the logs: %w", err)
	}
	r := &run{Options: o, began: time.Now(), result: &Result{Options: o, Logs: folder}}
	err = r.whole(ctx, folder)
	if err != nil {
		return nil, fmt.Errorf("seed %d, logs in %s: %w", o.Seed, folder, err)
	}
	if r.result.Clean() {
		r.result.Logs = ""
		err = os.RemoveAll(folder)
	}
	return r.result, err
}

// run is one Run.
type run struct {
	Options
	began   time.Time
	cluster *cluster
	crowd   *crowd
	roster  *roster
	result  *Result
}

func (r *run) say(format string, args ...any) {
	since := time.Since(r.began).Round(100 * time.Millisecond)
	acked := 0
	if r.crowd != nil {
		acked = r.crowd.history.Acked()
	}
	fmt.Fprintf(r.Progress, "%8s %7d acked  %s\n", since, acked, fmt.Sprintf(format, args...))
}

// whole makes the run, from the first process to the last.
func (r *run) whole(ctx context.Context, folder string) (err error) {
	r.say("seed %d: building and starting %d gateways, %d chatsvc, NATS, Redis, PostgreSQL", r.Seed, r.Gateways, r.Replicas)
	if r.cluster, err = startCluster(ctx, folder, r.Gateways, r.Replicas); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.cluster.stop()) }()
	if r.crowd, err = newCrowd(ctx, r.cluster, &r.Options); err != nil {
		return err
	}
	defer r.crowd.stop()
	if err := r.crowd.start(ctx, r.Rate); err != nil {
		return err
	}
	r.roster = watchRoster(r.crowd.history, r.cluster.redis.Addr())
	defer func() { err = errors.Join(err, r.roster.close()) }()
	r.say("%d clients are live", r.Clients)
	verdicts, err := r.breakAll(ctx)
	if err != nil {
		return err
	}
	return r.judge(ctx, verdicts)
}

// finding is what is known of a step before the history is quiet.
type finding struct {
	step
	verdict verdict
	err     error
}

// breakAll makes all steps of the schedule. A step that fails, or after which the system does not recover, is a
// finding; it ends the breaking.
func (r *run) breakAll(ctx context.Context) ([]finding, error) {
	p := paceFor(r.Duration)
	steps := schedule(r.Seed, r.Duration, r.Rows, p)
	var found []finding
	for i, s := range steps {
		r.say("step %d of %d, row %d: %s", i+1, len(steps), s.row, s.name)
		n := &nemesis{
			cluster: r.cluster, crowd: r.crowd, roster: r.roster, pace: p, say: r.say,
			random: rand.New(rand.NewPCG(s.seed, 3)), //nolint:gosec // G404: reproducible, not secret
		}
		verdict, err := s.do(ctx, n)
		if err == nil {
			err = n.recover(ctx)
		}
		if err == nil {
			err = r.crowd.failure()
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		found = append(found, finding{s, verdict, err})
		if err != nil {
			r.say("row %d failed: %v", s.row, err)
			break
		}
		if err := n.lull(ctx); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// judge waits until everything has settled, compares history and store, and writes the result.
func (r *run) judge(ctx context.Context, found []finding) error {
	r.say("no more faults: waiting until everything has arrived")
	r.crowd.hush()
	rooms := append([]int64{r.crowd.plaza}, r.crowd.rooms...)
	_, heads, err := readStore(ctx, r.cluster.postgres.URL(), rooms)
	if err != nil {
		return err
	}
	r.result.Unsettled = r.crowd.settle(ctx, heads)
	r.roster.stop()
	r.crowd.stop()
	stored, _, err := readStore(ctx, r.cluster.postgres.URL(), rooms)
	if err != nil {
		return err
	}
	r.say("checking %d stored events", len(stored))
	r.result.Report = Check(r.crowd.history, stored)
	r.result.Broken = errors.Join(r.crowd.failure(), r.cluster.stop())
	facts := newFacts(r.crowd.history)
	for _, f := range found {
		row := RowResult{Row: f.row, Fault: f.name, Bar: f.bar}
		if f.err != nil {
			row.Failed, row.Measured = f.err, f.err.Error()
		} else {
			row.Measured, row.OK = f.verdict(facts)
		}
		r.result.Rows = append(r.result.Rows, row)
	}
	r.result.Errors = r.crowd.history.Errors()
	r.result.Took = time.Since(r.began)
	return nil
}
