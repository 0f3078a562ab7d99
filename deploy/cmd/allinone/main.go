// Command allinone runs the whole of Fliliy Chat in one process: see package allinone. `make run` starts it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/fliliy/chat/deploy/allinone"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "allinone:", err)
		os.Exit(1)
	}
}

// run starts a stack, says how to use it, and stops it when ctx ends.
func run(ctx context.Context, args []string, out, log io.Writer) error {
	options, err := parse(args, log)
	if err != nil {
		return err
	}
	stack, err := allinone.Start(ctx, options)
	if err != nil {
		return err
	}
	if err := welcome(out, stack, options.DataDir); err != nil {
		return errors.Join(err, stack.Stop())
	}
	select {
	case <-ctx.Done():
		fmt.Fprintln(out, "\nstopping …")
	case err = <-stack.Failed():
	}
	err = errors.Join(err, stack.Stop())
	if err == nil {
		fmt.Fprintln(out, "stopped; rooms and messages stay in", options.DataDir)
	}
	return err
}

func parse(args []string, log io.Writer) (allinone.Options, error) {
	options := allinone.Default()
	flags := flag.NewFlagSet("allinone", flag.ContinueOnError)
	flags.SetOutput(log)
	list := func(target *[]string, name, usage string) {
		flags.Func(name, fmt.Sprintf("%s (default %s)", usage, strings.Join(*target, ",")), func(value string) error {
			*target = strings.Split(value, ",")
			return nil
		})
	}
	list(&options.GatewayAddrs, "gateways", "public `addresses`, comma-separated, one gateway each")
	list(&options.GatewayAdminAddrs, "gateway-admins", "admin `addresses` of the gateways: metrics and profiles")
	flags.StringVar(&options.ChatsvcAddr, "chatsvc", options.ChatsvcAddr, "gRPC `address` of chatsvc")
	flags.StringVar(&options.ChatsvcAdminAddr, "chatsvc-admin", options.ChatsvcAdminAddr, "admin `address` of chatsvc")
	flags.StringVar(&options.NATSAddr, "nats", options.NATSAddr, "`address` of the embedded NATS")
	flags.StringVar(&options.RedisAddr, "redis", options.RedisAddr, "`address` of the embedded Redis")
	flags.StringVar(&options.DataDir, "data", options.DataDir, "`folder` for messages and the token secret")
	flags.StringVar(&options.External.DatabaseURL, "database-url", "", "use this PostgreSQL instead of SQLite")
	flags.StringVar(&options.External.NATSURL, "nats-url", "", "use this NATS instead of the embedded one")
	flags.StringVar(&options.External.RedisURL, "redis-url", "", "use this Redis instead of the embedded one")
	verbose := flags.Bool("verbose", false, "log everything, not only warnings")
	if err := flags.Parse(args); err != nil {
		return allinone.Options{}, err
	}
	if flags.NArg() > 0 {
		return allinone.Options{}, fmt.Errorf("unexpected argument %q: there are only flags, see --help", flags.Arg(0))
	}
	level := slog.LevelWarn
	if *verbose {
		level = slog.LevelDebug
	}
	options.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: level}))
	return options, nil
}
