package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/fliliy/chat/deploy/faults"
	"github.com/fliliy/chat/deploy/fleet"
)

// asked is what the command line asks for.
type asked struct {
	options  faults.Options
	markdown string // the file to write, empty for none
}

func parse(args []string, log io.Writer) (asked, error) {
	a := asked{options: faults.Default()}
	o := &a.options
	flags := flag.NewFlagSet("faults", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.Uint64Var(&o.Seed, "seed", o.Seed, "of everything random: the same `number`, the same faults")
	flags.DurationVar(&o.Duration, "duration", o.Duration, "of all faults together, about; the first round is always whole")
	flags.Func("only", fmt.Sprintf("the `rows` of the fault matrix to run, comma-separated (default all: %v)", o.Rows),
		func(list string) (err error) {
			o.Rows, err = faults.ParseRows(list)
			return err
		})
	flags.IntVar(&o.Clients, "clients", o.Clients, "users, each with a client")
	flags.IntVar(&o.Rooms, "rooms", o.Rooms, "rooms")
	flags.IntVar(&o.RoomsEach, "rooms-each", o.RoomsEach, "rooms that each user is in")
	flags.Float64Var(&o.Rate, "rate", o.Rate, "messages a second, all clients together")
	flags.IntVar(&o.Gateways, "gateways", o.Gateways, "gateway processes")
	flags.IntVar(&o.Replicas, "replicas", o.Replicas, "chatsvc processes")
	flags.StringVar(&a.markdown, "markdown", "", "write the result to this `file` as well, with machine, commit and command")
	if err := flags.Parse(args); err != nil {
		return asked{}, err
	}
	if flags.NArg() > 0 {
		return asked{}, fmt.Errorf("unexpected argument %q: there are only flags, see --help", flags.Arg(0))
	}
	return a, nil
}

// writeMarkdown writes the page for deploy/bench/results.
func writeMarkdown(ctx context.Context, path string, args []string, result *faults.Result) error {
	file, err := os.Create(path) //nolint:gosec // G304: the file is the caller's choice
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	defer file.Close()
	return result.Markdown(file, []string{
		"date: " + time.Now().UTC().Format(time.RFC3339),
		"machine: " + fleet.Machine(),
		"commit: " + fleet.Commit(ctx),
		"command: `faults " + strings.Join(args, " ") + "`",
	})
}
