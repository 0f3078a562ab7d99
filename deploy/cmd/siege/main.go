// Command siege attacks a gateway on this machine and says what that cost: see package siege. `make siege` runs it.
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

	"github.com/fliliy/chat/deploy/fleet"
	"github.com/fliliy/chat/deploy/siege"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "siege:", err)
		os.Exit(1)
	}
}

// errMissed makes the exit code 1.
var errMissed = errors.New("a bar was missed")

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	o := siege.Default()
	o.Progress = progress
	flags := flag.NewFlagSet("siege", flag.ContinueOnError)
	flags.SetOutput(progress)
	flags.IntVar(&o.Silent, "silent", o.Silent, "attackers who upgrade, and say nothing")
	flags.IntVar(&o.Slow, "slow", o.Slow, "attackers who send the header of a request byte by byte")
	flags.DurationVar(&o.Pause, "pause", o.Pause, "between two of these bytes")
	flags.DurationVar(&o.Abuse, "abuse", o.Abuse, "how long one address floods the gateway with frames, connecting again after each cut")
	flags.IntVar(&o.Honest, "honest", o.Honest, "honest connects a second, meanwhile")
	flags.Func("env", "`NAME=VALUE` for the gateway, such as GOGC=50; several", func(text string) error {
		if name, _, found := strings.Cut(text, "="); !found || name == "" {
			return errors.New("want NAME=VALUE")
		}
		o.Env = append(o.Env, text)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: there are only flags, see --help", flags.Arg(0))
	}
	if o.Silent < 0 || o.Slow < 0 || o.Honest < 1 || o.Pause <= 0 || o.Abuse <= 0 {
		return errors.New("--silent and --slow have to be at least 0, --honest at least 1, --pause and --abuse more than 0")
	}
	outcomes, err := siege.Run(ctx, o)
	if err != nil {
		return err
	}
	missed := false
	fmt.Fprintf(out, "- date: %s\n- machine: %s\n- commit: %s\n- command: `siege %s`\n\n",
		time.Now().UTC().Format(time.RFC3339), fleet.Machine(), fleet.Commit(ctx), strings.Join(args, " "))
	for _, o := range outcomes {
		fmt.Fprintf(out, "- %v\n", &o)
		missed = missed || !o.Held()
	}
	if missed {
		return errMissed
	}
	return nil
}
