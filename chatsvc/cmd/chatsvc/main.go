// Command chatsvc runs the chat service, or looks after it: see package chatsvc and its README.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/fliliy/chat/chatsvc/config"
)

const usage = `usage: chatsvc COMMAND

  serve         run until SIGTERM or Ctrl-C; configured by FLILIY_CHATSVC_* variables (chatsvc/README.md)
  migrate       bring the database's schema up to date, and end
  check-config  say everything that is wrong with the configuration, or print it without its secrets
  check-health  ask the service on this machine whether it is serving
  version       print the version
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "chatsvc:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 1 && args[0] == "version" {
		return version(out)
	}
	if len(args) != 1 || commands[args[0]] == nil {
		_, _ = fmt.Fprint(out, usage)
		return fmt.Errorf("want one of these commands, not %q", args)
	}
	cfg, err := config.Load()
	if err != nil {
		return fmt.Errorf("the configuration is not valid:\n%w", err)
	}
	return commands[args[0]](ctx, cfg, out)
}
