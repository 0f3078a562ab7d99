// Package allinone runs the whole system in one process: gateways, a chat service and, unless real ones are named, an
// embedded NATS, Redis and SQLite. It is what `make run` and the end-to-end tests start. It plugs the services'
// facades together and holds nothing of their work; it is for one machine, never for production.
package allinone

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	chatsvc "github.com/fliliy/chat/chatsvc"
	chatconfig "github.com/fliliy/chat/chatsvc/config"
	"github.com/fliliy/chat/gateway"
	gatewayconfig "github.com/fliliy/chat/gateway/config"
)

// readyWithin is how long a stack may take until every part is ready.
const readyWithin = 30 * time.Second

// Stack is a running system. Its fields do not change after Start.
type Stack struct {
	Gateways    []*gateway.Gateway
	Chatsvc     *chatsvc.Service
	NATSURL     string
	RedisURL    string
	DatabaseURL string

	secret     string
	peerSecret string
	stops      []func() error // in the order of the starts
	failed     chan error     // what ended a part before Stop
	once       sync.Once
	stopped    error
}

// Start runs a stack and returns once every part is ready. Should it fail, nothing is left running. Stop ends it;
// the end of ctx does not.
func Start(ctx context.Context, options Options) (*Stack, error) {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if err := options.check(ctx); err != nil {
		return nil, err
	}
	s := &Stack{failed: make(chan error, len(options.GatewayAddrs)+1)}
	if err := s.start(ctx, &options); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Stack) start(ctx context.Context, options *Options) error {
	if err := os.MkdirAll(options.DataDir, 0o750); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	var err error
	s.peerSecret = newSecret()
	if s.secret, err = loadSecret(options.DataDir); err != nil {
		return err
	}
	if err := s.startServers(ctx, options); err != nil {
		return err
	}
	if err := s.startChatsvc(ctx, options); err != nil {
		return err
	}
	for i := range options.GatewayAddrs {
		if err := s.startGateway(ctx, options, i); err != nil {
			return err
		}
	}
	return s.awaitReady(ctx)
}

func (s *Stack) startServers(ctx context.Context, options *Options) error {
	s.NATSURL, s.RedisURL, s.DatabaseURL = options.External.NATSURL, options.External.RedisURL, options.External.DatabaseURL
	if s.DatabaseURL == "" {
		s.DatabaseURL = "sqlite:" + filepath.Join(options.DataDir, "chat.db")
	}
	if s.NATSURL == "" {
		broker, url, err := startNATS(options.NATSAddr)
		if err != nil {
			return err
		}
		s.NATSURL = url
		s.onStop(func() error { broker.Shutdown(); broker.WaitForShutdown(); return nil })
	}
	if s.RedisURL == "" {
		clock, stopClock := context.WithCancel(context.WithoutCancel(ctx))
		redis, err := startRedis(clock, options.RedisAddr)
		if err != nil {
			stopClock()
			return err
		}
		s.RedisURL = "redis://" + redis.Addr()
		s.onStop(func() error { stopClock(); redis.Close(); return nil })
	}
	return nil
}

func (s *Stack) startChatsvc(ctx context.Context, options *Options) error {
	cfg := chatconfig.Default()
	cfg.Addr, cfg.AdminAddr = options.ChatsvcAddr, options.ChatsvcAdminAddr
	cfg.DatabaseURL, cfg.NATS.URL, cfg.RedisURL = s.DatabaseURL, s.NATSURL, s.RedisURL
	service, err := chatsvc.New(cfg, chatsvc.WithLogger(options.Logger.With("service", "chatsvc")))
	if err != nil {
		return fmt.Errorf("chatsvc: %w", err)
	}
	s.Chatsvc = service
	s.run(ctx, "chatsvc", service.Run)
	return nil
}

func (s *Stack) startGateway(ctx context.Context, options *Options, i int) error {
	cfg := gatewayconfig.Default()
	cfg.Addr, cfg.AdminAddr = options.GatewayAddrs[i], ""
	if i < len(options.GatewayAdminAddrs) {
		cfg.AdminAddr = options.GatewayAdminAddrs[i]
	}
	cfg.ChatsvcTarget, cfg.RedisURL = s.Chatsvc.Addr(), s.RedisURL
	cfg.NATS.URL, cfg.JWT.Secret = s.NATSURL, s.secret
	cfg.Peer.Addr, cfg.Peer.Secret = "127.0.0.1:0", s.peerSecret
	cfg.Limits.DrainGrace, cfg.Limits.DrainTime = 0, time.Second // there is no other node for clients to be spread over
	cfg.Rates.Off, cfg.Limits.ConnectionsPerAddress = true, 0    // all clients are on this machine
	if options.Configure != nil {
		options.Configure(&cfg)
	}
	name := fmt.Sprintf("gateway-%d", i+1)
	gw, err := gateway.New(cfg,
		gateway.WithLogger(options.Logger.With("service", name)),
		gateway.WithRoute("POST /api/v1/dev/token", devTokens(s.secret)))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	s.Gateways = append(s.Gateways, gw)
	s.run(ctx, name, gw.Run)
	return nil
}

// run runs a part until Stop; an end before that is told on failed.
func (s *Stack) run(ctx context.Context, name string, run func(context.Context) error) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() {
		err := run(ctx)
		if ctx.Err() == nil {
			s.failed <- fmt.Errorf("%s ended by itself: %w", name, err)
		}
		ended <- err
	}()
	s.onStop(func() error {
		stop()
		if err := <-ended; err != nil {
			return fmt.Errorf("stop %s: %w", name, err)
		}
		return nil
	})
}

func (s *Stack) onStop(stop func() error) { s.stops = append(s.stops, stop) }

func (s *Stack) awaitReady(ctx context.Context) error {
	deadline := time.NewTimer(readyWithin)
	defer deadline.Stop()
	waits := []<-chan struct{}{s.Chatsvc.Ready()}
	for _, gw := range s.Gateways {
		waits = append(waits, gw.Ready())
	}
	for _, ready := range waits {
		select {
		case <-ready:
		case err := <-s.failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return fmt.Errorf("not every part was ready within %v; run with --verbose to see why", readyWithin)
		}
	}
	return nil
}

// Failed tells of a part that ended before Stop.
func (s *Stack) Failed() <-chan error { return s.failed }

// Token mints a token for a user.
func (s *Stack) Token(userID string) (string, error) {
	return gateway.SignToken(s.secret, userID, tokenLife)
}

// Stop ends all parts, gateways first, and returns what went wrong on the way. Later calls return the same.
func (s *Stack) Stop() error {
	s.once.Do(func() {
		for i := len(s.stops) - 1; i >= 0; i-- {
			s.stopped = errors.Join(s.stopped, s.stops[i]())
		}
	})
	return s.stopped
}
