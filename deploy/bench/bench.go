package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/fliliy/chat/deploy/fleet"
	"github.com/fliliy/chat/deploy/loadgen"
	"github.com/fliliy/chat/deploy/loadgen/scenario"
)

// Options say what Measure does.
type Options struct {
	Rows     []Row
	Times    int      // how often each row is run; the medians count
	Peers    bool     // RabbitMQ as well, in turn with us
	Worker   []string // the command of a load worker, see loadgen.Options
	Env      []string // NAME=VALUE for gateways and chatsvcs, besides their settings, such as GOGC=50
	Profiles string   // a folder for CPU and heap profiles of gateways and chatsvcs; empty: none
	Progress io.Writer
}

// Outcome is all runs of a row against one server.
type Outcome struct {
	Row    *Row
	Server string
	Runs   []*Run
}

// Median is the middle of a figure's values over the runs, and the least and the most.
func (o *Outcome) Median(f *Figure) (median, least, most float64) {
	values := make([]float64, 0, len(o.Runs))
	for _, r := range o.Runs {
		values = append(values, f.Of(r))
	}
	if len(values) == 0 {
		return 0, 0, 0
	}
	slices.Sort(values)
	return values[len(values)/2], values[0], values[len(values)-1]
}

// Measure measures all rows. An error means that something could not be measured; what was measured before is returned
// with it.
func Measure(ctx context.Context, o Options) (outcomes []*Outcome, err error) {
	folder, err := os.MkdirTemp("", "fliliy-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for programs and logs: %w", err)
	}
	b := &bench{Options: o, folder: folder}
	b.say("building")
	if err := fleet.Build(ctx, folder); err != nil {
		return nil, err
	}
	var failed []error
	for i := range o.Rows {
		row, err := b.row(ctx, &o.Rows[i])
		outcomes = append(outcomes, row...)
		failed = append(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	if err := errors.Join(failed...); err != nil {
		return outcomes, fmt.Errorf("%w\nthe logs are in %s", err, folder)
	}
	return outcomes, os.RemoveAll(folder)
}

// bench is one Measure.
type bench struct {
	Options
	folder string
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.Progress, "%s "+format+"\n", append([]any{time.Now().Format(time.TimeOnly)}, args...)...)
}

// starter starts a server of one kind.
type starter struct {
	name  string
	start func(context.Context) (server, error)
}

// starters are the servers that a row is run against.
func (b *bench) starters(row *Row) []starter {
	env := slices.Concat(row.Env, b.Env)
	starters := []starter{{ours, func(ctx context.Context) (server, error) { return startSystem(ctx, b.folder, row.Size, env) }}}
	if b.Peers {
		starters = append(starters, starter{"rabbitmq", func(ctx context.Context) (server, error) {
			return startRabbit(ctx, b.folder)
		}})
	}
	return starters
}

// row runs one row as often as it is wanted, the servers in turn.
func (b *bench) row(ctx context.Context, row *Row) ([]*Outcome, error) {
	starters := b.starters(row)
	outcomes := make([]*Outcome, len(starters))
	for i := range outcomes {
		outcomes[i] = &Outcome{Row: row, Server: starters[i].name}
	}
	for n := range max(1, b.Times) {
		for i, s := range starters {
			b.say("%s on %s, run %d of %d: %s", row.Name, s.name, n+1, max(1, b.Times), row.Scenario.About)
			result, err := b.once(ctx, row, s, fmt.Sprintf("%s-%d", cmp.Or(row.Name, "row"), n+1))
			if err != nil {
				return outcomes, fmt.Errorf("%s on %s: %w", row.Name, s.name, err)
			}
			outcomes[i].Runs = append(outcomes[i].Runs, result)
			if err := result.WriteText(b.Progress); err != nil {
				return outcomes, err
			}
		}
	}
	return outcomes, nil
}

// once makes one run on a fresh server.
func (b *bench) once(ctx context.Context, row *Row, s starter, prefix string) (run *Run, err error) {
	server, err := s.start(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	target, err := server.target()
	if err != nil {
		return nil, err
	}
	before, err := counts(ctx, row, server)
	if err != nil {
		return nil, err
	}
	result, err := b.load(ctx, row, server, target, prefix)
	if err != nil {
		return nil, err
	}
	left, err := leftovers(ctx, row, server, before)
	return &Run{result, left}, err
}

// load puts a server under a row's load.
func (b *bench) load(ctx context.Context, row *Row, on server, target scenario.Target, prefix string) (*loadgen.Result, error) {
	options := loadgen.Options{
		Scenario: row.Scenario, Target: target, Servers: on.servers(), Secret: on.secret(),
		Processes: on.processes(), Worker: b.Worker, Progress: b.Progress, Sources: sources,
	}
	if b.Profiles == "" {
		return loadgen.Run(ctx, options)
	}
	if err := os.MkdirAll(b.Profiles, 0o750); err != nil {
		return nil, fmt.Errorf("make the folder for profiles: %w", err)
	}
	p := &profiler{folder: b.Profiles, prefix: prefix, nodes: on.profiled(), row: row}
	options.OnPhase = p.phase(ctx)
	result, err := loadgen.Run(ctx, options)
	return result, errors.Join(err, p.wait())
}

// sources are where workers connect from: an address each has its own ports.
var sources = []netip.Addr{
	netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3"),
	netip.MustParseAddr("127.0.0.4"),
}
