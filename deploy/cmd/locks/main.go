// Command locks takes every check that package security lists out of the source, one at a time, and says which of them
// nobody missed. `make locks` runs it at the root of the repository.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"

	"github.com/fliliy/chat/deploy/security"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "locks:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("locks", flag.ContinueOnError)
	flags.SetOutput(out)
	root := flags.String("root", ".", "the repository")
	only := flags.String("only", "", "regular expression of the locks to take off, by area/name")
	if err := flags.Parse(args); err != nil {
		return err
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("read --only: %w", err)
	}
	locks, err := security.Load(*root)
	if err != nil {
		return err
	}
	var faults []error
	tried := 0
	for i := range locks {
		l := &locks[i]
		if !wanted.MatchString(l.Area + "/" + l.Name) {
			continue
		}
		tried++
		start, verdict := time.Now(), "missed"
		if err := l.Try(ctx, *root); err != nil {
			verdict = "FAULT"
			faults = append(faults, err)
		}
		fmt.Fprintf(out, "%-6s  row %2d  %-10s %-60s %4.1fs\n", verdict, l.Row, l.Area, l.Name, time.Since(start).Seconds())
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	fmt.Fprintf(out, "%d locks taken off, %d of them at fault\n", tried, len(faults))
	if tried == 0 {
		return errors.New("no lock has such a name")
	}
	return errors.Join(faults...)
}
