package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/fliliy/chat/chatsvc"
	"github.com/fliliy/chat/chatsvc/config"
)

var commands = map[string]func(context.Context, config.Config, io.Writer) error{
	"serve": serve, "migrate": migrate, "check-config": checkConfig, "check-health": checkHealth,
}

// gcPercent is how much garbage may gather beside what is in use: of that there is little (tens of MiB), while every
// message leaves some. At Go's default of 100 a seventh of the processor time went into collecting it.
const gcPercent = 400

func serve(ctx context.Context, cfg config.Config, _ io.Writer) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	logger := cfg.Log.Logger(os.Stderr).With("version", chatsvc.Version())
	service, err := chatsvc.New(cfg, chatsvc.WithLogger(logger)) //nolint:contextcheck // listens, and returns at once
	if err != nil {
		return err
	}
	return service.Run(ctx)
}

func migrate(ctx context.Context, cfg config.Config, out io.Writer) error {
	if err := chatsvc.Migrate(ctx, cfg); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, "the schema is up to date")
	return err
}

func checkConfig(_ context.Context, cfg config.Config, out io.Writer) error {
	slog.New(slog.NewTextHandler(out, nil)).Info("the configuration is valid", "config", cfg)
	return nil
}

func checkHealth(ctx context.Context, cfg config.Config, out io.Writer) error {
	if err := chatsvc.CheckHealth(ctx, cfg); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, "serving")
	return err
}

func version(out io.Writer) error {
	_, err := fmt.Fprintln(out, chatsvc.Version())
	return err
}
