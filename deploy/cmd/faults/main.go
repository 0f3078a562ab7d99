// Command faults breaks a whole system of real processes on this machine, under clients that write down everything,
// and says whether the promises held: see package faults. `make faults` runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/fliliy/chat/deploy/faults"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

// errViolated makes the exit code 1.
var errViolated = errors.New("a promise was broken or a bar was missed")

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	asked, err := parse(args, progress)
	if err != nil {
		return err
	}
	asked.options.Progress = progress
	result, err := faults.Run(ctx, asked.options)
	if err != nil {
		return err
	}
	if err := result.Write(out); err != nil {
		return err
	}
	if asked.markdown != "" {
		if err := writeMarkdown(ctx, asked.markdown, args, result); err != nil {
			return err
		}
	}
	if !result.Clean() {
		return fmt.Errorf("%w; the same again: faults --seed %d --duration %s", errViolated, result.Seed, result.Duration)
	}
	return nil
}
