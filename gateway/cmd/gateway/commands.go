package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/fliliy/chat/gateway"
	"github.com/fliliy/chat/gateway/config"
)

func serve(ctx context.Context, cfg config.Config, _ []string, _ io.Writer) error {
	logger := cfg.Log.Logger(os.Stderr).With("version", gateway.Version())
	gw, err := gateway.New(cfg, gateway.WithLogger(logger))
	if err != nil {
		return err
	}
	return gw.Run(ctx)
}

func checkConfig(_ context.Context, cfg config.Config, _ []string, out io.Writer) error {
	slog.New(slog.NewTextHandler(out, nil)).Info("the configuration is valid", "config", cfg)
	return nil
}

func genToken(_ context.Context, cfg config.Config, args []string, out io.Writer) error {
	if len(args) < 1 || len(args) > 2 {
		return errors.New("usage: gateway gen-token USER [LIFETIME], such as gen-token alice 1h")
	}
	life := time.Hour
	if len(args) == 2 {
		var err error
		if life, err = time.ParseDuration(args[1]); err != nil || life <= 0 {
			return fmt.Errorf("lifetime %q is not a duration such as 90m or 24h", args[1])
		}
	}
	token, err := gateway.GenerateToken(cfg.JWT, args[0], life)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, token)
	return err
}

func version(out io.Writer) error {
	_, err := fmt.Fprintln(out, gateway.Version())
	return err
}

// unconfigured need no configuration: they are no gateway, and meet no other service.
var unconfigured = map[string]func(ctx context.Context, args []string, out io.Writer) error{
	"conformance": conformance, "probe": probe,
}

// conformance runs until ctx ends.
func conformance(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.SetOutput(out)
	addr := flags.String("addr", "127.0.0.1:15674", "where to listen: a loopback address")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("usage: gateway conformance --addr 127.0.0.1:PORT: %w", err)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("usage: gateway conformance --addr 127.0.0.1:PORT, without %q", flags.Args())
	}
	broker, err := gateway.NewConformance(ctx, *addr, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "STOMP on ws://%[1]s/ws and by SockJS on http://%[1]s/ws (passcode guest), "+
		"WebSocket echo on ws://%[1]s/ws-echo, services of the SockJS suite on http://%[1]s\n", broker.Addr()); err != nil {
		return err
	}
	return broker.Run(ctx)
}

// probeTimeout is how long a probe takes at most, unless it is told otherwise.
const probeTimeout = 10 * time.Second

func probe(ctx context.Context, args []string, out io.Writer) error {
	const usage = "usage: gateway probe --room ROOM [--url http://127.0.0.1:8080] [--token JWT, or FLILIY_TOKEN in the environment]"
	flags := flag.NewFlagSet("probe", flag.ContinueOnError)
	flags.SetOutput(out)
	var opts gateway.ProbeOptions
	flags.StringVar(&opts.BaseURL, "url", "http://127.0.0.1:8080", "`address` of the gateway")
	flags.StringVar(&opts.Token, "token", os.Getenv("FLILIY_TOKEN"), "`JWT` of a member of the room")
	flags.Int64Var(&opts.Room, "room", 0, "`id` of the room")
	flags.StringVar(&opts.Content, "content", "gateway probe", "`text` of the message")
	timeout := flags.Duration("timeout", probeTimeout, "how long to try")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("%s: %w", usage, err)
	}
	if flags.NArg() > 0 || opts.Room <= 0 || opts.Token == "" {
		return errors.New(usage)
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	result, err := gateway.Probe(ctx, opts)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(result)
}
