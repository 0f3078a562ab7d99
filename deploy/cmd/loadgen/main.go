// Command loadgen puts a STOMP server under load and measures it: see package loadgen. `make bench` measures this
// system with it; by itself it drives any server that runs already.
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

	"github.com/fliliy/chat/deploy/loadgen"
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
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(1)
	}
}

// errFaults makes the exit code 1.
var errFaults = errors.New("deliveries were lost, doubled or reordered, or connections broke")

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	asked, err := parse(args, progress)
	if err != nil {
		return err
	}
	if asked.list {
		return list(out)
	}
	asked.options.Progress = progress
	result, err := loadgen.Run(ctx, asked.options)
	if err != nil {
		return err
	}
	if err := asked.write(result, out); err != nil {
		return err
	}
	if !result.Clean() {
		return errFaults
	}
	return nil
}
