// Command bench measures the whole system against its bars: see package bench. `make bench`, `make bench-peers` and
// `make bench-growth` run it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/fliliy/chat/deploy/bench"
	"github.com/fliliy/chat/deploy/fleet"
	"github.com/fliliy/chat/deploy/loadgen/swarm"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if swarm.IsWorker(os.Args) {
		err = swarm.Serve(ctx, os.Stdin, os.Stdout)
	} else {
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// asked is what the command line asks for.
type asked struct {
	options bench.Options
	growth  bool
	names   []string
	results string
}

func parse(args []string, log io.Writer) (*asked, error) {
	worker, err := swarm.WorkerCommand()
	if err != nil {
		return nil, err
	}
	a := &asked{options: bench.Options{Worker: worker, Progress: log}}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.BoolVar(&a.growth, "growth", false, "measure how cost grows, not the table")
	flags.BoolVar(&a.options.Peers, "peers", false, "measure RabbitMQ as well, in turn with us")
	flags.Func("only", "the `rows` to run, comma-separated (default all)", func(list string) error {
		a.names = strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
		return nil
	})
	flags.IntVar(&a.options.Times, "times", 3, "runs of each row; the medians count")
	flags.Func("env", "`NAME=VALUE` for gateways and chatsvcs, such as GOGC=50; several", func(text string) error {
		if name, _, found := strings.Cut(text, "="); !found || name == "" {
			return errors.New("want NAME=VALUE")
		}
		a.options.Env = append(a.options.Env, text)
		return nil
	})
	flags.StringVar(&a.options.Profiles, "profiles", "", "a `folder` for CPU and heap profiles of gateways and chatsvcs")
	flags.StringVar(&a.results, "results", "", "write text, JSON and HTML to this `path`, with an ending each")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q: there are only flags, see --help", flags.Arg(0))
	}
	if a.options.Times < 1 {
		return nil, errors.New("--times has to be at least 1")
	}
	rows := bench.Rows
	if a.growth {
		rows = bench.Growth
	}
	a.options.Rows, err = rows(a.names...)
	return a, err
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	a, err := parse(args, progress)
	if err != nil {
		return err
	}
	gauge, err := bench.TakeGauge(ctx)
	if err != nil {
		return err
	}
	report := &bench.Report{Title: "Fliliy Chat, measured", Facts: []string{
		"date: " + time.Now().UTC().Format(time.RFC3339), "machine: " + fleet.Machine(), "commit: " + fleet.Commit(ctx), gauge.String(),
		"command: bench " + strings.Join(args, " "),
		fmt.Sprintf("medians of %d runs, each on a fresh system; the load generator shares the machine", a.options.Times),
	}}
	var failed error
	report.Outcomes, failed = bench.Measure(ctx, a.options)
	if err := report.WriteText(out); err != nil {
		return errors.Join(failed, err)
	}
	if a.results != "" {
		failed = errors.Join(failed, report.Save(a.results))
	}
	return failed
}
