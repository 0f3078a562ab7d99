// Package chatsvc is the facade of the chat service: it plugs the parts in internal/ together and runs them. Its
// command and deploy call it. It decides nothing itself: rules live in internal/chat, SQL in internal/store.
package chatsvc

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/fliliy/chat/chatsvc/config"
	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/commit"
	"github.com/fliliy/chat/chatsvc/internal/metrics"
	"github.com/fliliy/chat/chatsvc/internal/presence"
	"github.com/fliliy/chat/chatsvc/internal/publish"
	"github.com/fliliy/chat/chatsvc/internal/rpc"
	"github.com/fliliy/chat/chatsvc/internal/store/postgres"
	"github.com/fliliy/chat/chatsvc/internal/store/sqlite"
)

// store is all that a store has to be.
type store interface {
	chat.Store
	commit.Batcher
	publish.Changes
	Close()
}

// The ports, proved here once.
var (
	_ store          = (*postgres.Store)(nil)
	_ store          = (*sqlite.Store)(nil)
	_ chat.Appender  = (*commit.Scribe)(nil)
	_ chat.Publisher = (*publish.Publisher)(nil)
	_ chat.Herald    = (*publish.Publisher)(nil)
	_ chat.Observer  = (*presence.Reader)(nil)

	_ chat.StatePublisher = (*publish.Publisher)(nil)
)

// Service is one chat service. New makes it and takes its ports, Run runs it once.
type Service struct {
	cfg      config.Config
	logger   *slog.Logger
	listener net.Listener
	admin    net.Listener // nil: off
	ready    chan struct{}
}

// Option changes what New makes.
type Option func(*Service)

// WithLogger sets where the service logs; without it, nowhere.
func WithLogger(logger *slog.Logger) Option {
	return func(s *Service) { s.logger = logger }
}

// New checks the configuration and listens, so that a taken port is an error here. It opens no store and waits for
// nobody. Whoever calls it calls Run, which ends what New has begun.
func New(cfg config.Config, opts ...Option) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	s := &Service{cfg: cfg, logger: slog.New(slog.DiscardHandler), ready: make(chan struct{})}
	for _, opt := range opts {
		opt(s)
	}
	var err error
	if s.listener, err = listen(cfg.Addr, "ADDR"); err != nil {
		return nil, err
	}
	if cfg.AdminAddr != "" {
		if s.admin, err = listen(cfg.AdminAddr, "ADMIN_ADDR"); err != nil {
			_ = s.listener.Close()
			return nil, err
		}
	}
	return s, nil
}

func listen(addr, variable string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; stop what has it, or set %s%s", addr, err, config.Prefix, variable)
	}
	return listener, nil
}

// Addr is where gRPC listens.
func (s *Service) Addr() string { return s.listener.Addr().String() }

// AdminAddr is where the admin server listens; empty when it is off.
func (s *Service) AdminAddr() string {
	if s.admin == nil {
		return ""
	}
	return s.admin.Addr().String()
}

// Ready is closed once calls are answered. NATS may still be away then: it is a hint.
func (s *Service) Ready() <-chan struct{} { return s.ready }

// Run opens the store, serves until ctx ends, and stops in good order: health says NOT_SERVING, calls under way are
// answered (for ShutdownTimeout at most), what the scribe has accepted is stored and published, the store is closed.
// It returns nil after such a stop, else what ended it.
func (s *Service) Run(ctx context.Context) error {
	defer s.closeListeners()
	store, err := openStore(ctx, s.cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	counts := metrics.New(registry)
	secure, err := readTLS(s.cfg)
	if err != nil {
		return err
	}
	conn, err := publish.Dial(publish.DialOptions{
		URL: s.cfg.NATS.URL, User: s.cfg.NATS.User, Password: s.cfg.NATS.Password, TLS: secure.nats,
		Logger: s.logger, Metrics: counts.Post,
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	observer, closeObserver, err := s.observer(secure.redis)
	if err != nil {
		return err
	}
	defer closeObserver()

	p := s.plug(store, conn, observer, counts, secure.grpc)
	p.admin = newAdmin(registry, probe{store: store, nats: conn}, s.cfg.AdminToken)
	p.start(ctx, s)
	close(s.ready)
	s.logger.Info("chat service is ready", "addr", s.Addr(), "adminAddr", s.AdminAddr(), "config", s.cfg)
	var cause error
	select {
	case <-ctx.Done():
		s.logger.Info("chat service is stopping")
	case cause = <-p.failed:
	}
	p.stop(context.WithoutCancel(ctx), s.cfg.ShutdownTimeout)
	return cause
}

func (s *Service) closeListeners() {
	_ = s.listener.Close()
	if s.admin != nil {
		_ = s.admin.Close()
	}
}

// openStore opens the store that the configuration names.
func openStore(ctx context.Context, cfg config.Config) (store, error) {
	if path, ok := cfg.SQLitePath(); ok {
		return opened(sqlite.Open(ctx, path, sqlite.Options{}))
	}
	return opened(postgres.Open(ctx, cfg.DatabaseURL, postgres.Options{}))
}

// opened keeps a nil pointer from becoming a store that is not nil.
func opened[S store](s S, err error) (store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// observer reads who is online, where a Redis is named; nil where none is.
func (s *Service) observer(secure *tls.Config) (chat.Observer, func(), error) {
	if s.cfg.RedisURL == "" {
		return nil, func() {}, nil
	}
	reader, err := presence.New(s.cfg.RedisURL, secure, s.logger)
	if err != nil {
		return nil, nil, err
	}
	return reader, func() { _ = reader.Close() }, nil // nothing was written
}

// plug puts the parts together.
func (s *Service) plug(store store, conn *nats.Conn, observer chat.Observer, counts *metrics.Metrics,
	secure *tls.Config,
) *parts {
	publisher := publish.New(conn, publish.Options{Changes: store, Metrics: counts.Post})
	scribe := commit.New(store, publisher, commit.Options{
		MaxBatch: s.cfg.BatchSize, Logger: s.logger, Metrics: counts.Scribe,
	})
	marks := chat.NewMarks(store, publisher)
	windows := chat.Windows{Edit: s.cfg.EditWindow, Recall: s.cfg.RecallWindow}
	server := rpc.New(rpc.Deps{
		Rooms:    chat.NewRooms(store, publisher).WithObserver(observer),
		Messages: chat.NewMessages(scribe, store).Within(windows),
		Marks:    marks,
		Logs:     chat.NewLogs(store, marks),
		Inbox:    chat.NewInbox(scribe, store),
		Revoked:  chat.NewRevocations(store, publisher, s.cfg.TokenLife),
		Statuses: chat.NewStatuses(store, publisher, observer),
		Logger:   s.logger,
		Metrics:  counts.Counter,
	}, rpc.Options{
		CallTimeout:      s.cfg.RPC.CallTimeout,
		MaxMessage:       s.cfg.RPC.MaxMessageBytes,
		MaxConnectionAge: s.cfg.RPC.MaxConnectionAge,
		Callers:          callersOf(s.cfg.Callers),
		TLS:              secure,
	})
	return &parts{publisher: publisher, scribe: scribe, server: server, failed: make(chan error, 4)}
}

// callersOf says what the counter needs to know of the callers; the configuration has been checked.
func callersOf(configured []config.Caller) []rpc.Caller {
	roles := map[string]rpc.Role{config.RoleGateway: rpc.RoleGateway, config.RoleService: rpc.RoleService}
	callers := make([]rpc.Caller, len(configured))
	for i, c := range configured {
		callers[i] = rpc.Caller{Credential: c.Credential, Role: roles[c.Role]}
	}
	return callers
}
