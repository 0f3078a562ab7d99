// Command gateway runs a gateway, or checks its configuration and health: see package gateway and its README.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/fliliy/chat/gateway/config"
)

const usage = `usage: gateway COMMAND

  serve         run until SIGTERM or Ctrl-C; configured by FLILIY_GATEWAY_* variables (gateway/README.md)
  check-config  say everything that is wrong with the configuration, or print it without its secrets
  check-health  ask the gateway on this machine whether it is alive
  gen-token     print a token: gen-token USER [LIFETIME], such as gen-token alice 1h
  probe         try a gateway as a client does, and print what it saw as JSON: probe --help
  conformance   run a plain STOMP broker for public test suites: conformance --addr 127.0.0.1:PORT (loopback only)
  version       print the version
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once, even while it drains
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

var commands = map[string]func(ctx context.Context, cfg config.Config, args []string, out io.Writer) error{
	"serve": serve, "check-config": checkConfig, "check-health": checkHealth, "gen-token": genToken,
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 1 && args[0] == "version" {
		return version(out)
	}
	if len(args) > 0 && unconfigured[args[0]] != nil {
		return unconfigured[args[0]](ctx, args[1:], out)
	}
	if len(args) == 0 || commands[args[0]] == nil {
		fmt.Fprint(out, usage)
		return fmt.Errorf("want one of these commands, not %q", args)
	}
	cfg, err := config.Load()
	if err != nil {
		return fmt.Errorf("the configuration is not valid:\n%w", err)
	}
	return commands[args[0]](ctx, cfg, args[1:], out)
}
