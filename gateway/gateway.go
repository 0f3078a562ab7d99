// Package gateway is the facade of the edge service: it plugs the parts in internal/ together and runs them. Its
// command and deploy call it. It decides nothing itself: rules of chats live in chatsvc, rules of STOMP in
// internal/session.
package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc"

	"github.com/fliliy/chat/gateway/config"
	"github.com/fliliy/chat/gateway/internal/auth"
	"github.com/fliliy/chat/gateway/internal/certificate"
	"github.com/fliliy/chat/gateway/internal/edge"
	"github.com/fliliy/chat/gateway/internal/fanin"
	"github.com/fliliy/chat/gateway/internal/herald"
	"github.com/fliliy/chat/gateway/internal/hub"
	"github.com/fliliy/chat/gateway/internal/limit"
	"github.com/fliliy/chat/gateway/internal/memory"
	"github.com/fliliy/chat/gateway/internal/metrics"
	"github.com/fliliy/chat/gateway/internal/origin"
	"github.com/fliliy/chat/gateway/internal/peer"
	"github.com/fliliy/chat/gateway/internal/presence"
	"github.com/fliliy/chat/gateway/internal/relay"
	"github.com/fliliy/chat/gateway/internal/rest"
	"github.com/fliliy/chat/gateway/internal/revocation"
	"github.com/fliliy/chat/gateway/internal/session"
	"github.com/fliliy/chat/gateway/internal/ticket"
	"github.com/fliliy/chat/gateway/internal/transport/sockjs"
	"github.com/fliliy/chat/gateway/internal/transport/ws"
	"github.com/fliliy/chat/gateway/web"
)

// The ports, proved here once.
var (
	_ session.Waiter        = (*ws.Conn)(nil)
	_ session.Yielder       = (*ws.Conn)(nil)
	_ session.Authenticator = (*auth.Verifier)(nil)
	_ session.Hub           = (*hub.Hub)(nil)
	_ session.Relay         = (*relay.Relay)(nil)
	_ session.Presence      = (*presence.Presence)(nil)
	_ session.Whereabouts   = (*herald.Herald)(nil)
	_ herald.Reporter       = (*relay.Relay)(nil)
	_ herald.Lookup         = (*presenceLookup)(nil)
	_ hub.Interest          = (*fanin.Fanin)(nil)
	_ hub.Logs              = (*relay.Relay)(nil)
	_ fanin.Hub             = (*hub.Hub)(nil)
	_ rest.Authenticator    = (*auth.Verifier)(nil)
	_ rest.Tickets          = (*ticket.Office)(nil)
	_ session.Tickets       = (*ticket.Office)(nil)
	_ ticket.Verifier       = (*auth.Verifier)(nil)
	_ auth.Revocations      = (*revocation.List)(nil)
	_ revocation.Source     = (*relay.Relay)(nil)
	_ revocation.Sessions   = (*session.Factory)(nil)
	_ session.Conn          = (*sockjs.Conn)(nil)
	_ session.Conn          = (*sockjs.WebSocket)(nil)
	_ sockjs.Peers          = (*peer.Peers)(nil)
	_ sockjs.Pipe           = (*ws.Conn)(nil)
)

// Gateway is one gateway. New makes it and takes its ports, Run runs it once.
type Gateway struct {
	cfg      config.Config
	logger   *slog.Logger
	edge     *edge.Server
	relay    *relay.Relay
	hub      *hub.Hub
	fanin    *fanin.Fanin
	presence *presence.Presence
	herald   *herald.Herald

	chatsvc   *grpc.ClientConn
	nats      *nats.Conn
	redis     *redis.Client
	peers     *peer.Peers  // nil: this gateway knows of no other
	carried   http.Handler // what they carry here
	peerRedis *redis.Client
	jwks      *auth.JWKS // nil: there is none
	revoked   *revocation.List
	tls       *certificate.Files // nil: the public address speaks plain HTTP
	tickets   *ticket.Office

	sessions *session.Factory
	limits   *limit.Limits
	crowd    *crowd
	dismiss  context.CancelFunc // tells all sessions to go
	draining sync.Once
	ready    chan struct{}
}

// New builds a gateway and listens, so that a taken port is an error here; it does not wait for NATS, Redis or
// chatsvc, which may come later. The configuration has been validated by the caller. Run ends what New has begun.
func New(cfg config.Config, opts ...Option) (*Gateway, error) {
	o := options{logger: slog.New(slog.DiscardHandler), routes: map[string]http.Handler{}}
	for _, opt := range opts {
		opt(&o)
	}
	g := &Gateway{cfg: cfg, logger: o.logger, crowd: newCrowd(), ready: make(chan struct{})}
	if err := g.dial(); err != nil {
		return nil, errors.Join(err, g.hangUp())
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	counts := metrics.New(registry)
	g.relay = relay.New(g.chatsvc, relay.Options{
		Logger: g.logger, Commands: counts.RelayCommands, InFlight: counts.RelayInFlight,
	})
	g.revoked = revocation.New(g.relay, g.logger)
	verifier, err := g.newVerifier()
	if err != nil {
		return nil, errors.Join(err, g.hangUp())
	}
	g.tickets = ticket.New(g.redis, verifier, counts)
	g.assemble(verifier, counts)
	g.edge, err = g.openDoor(&o, verifier, counts, promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	if err != nil {
		return nil, errors.Join(err, g.hangUp())
	}
	return g, nil
}

// dial makes the connections to the other services. None of them blocks: each connects, and connects again, by itself.
func (g *Gateway) dial() (err error) {
	if g.chatsvc, err = g.dialChatsvc(); err != nil {
		return fmt.Errorf("chatsvc at %s: %w", g.cfg.ChatsvcTarget, err)
	}
	if g.redis, err = g.dialRedis(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	natsTLS, err := clientTLS(g.cfg.NATS.TLS)
	if err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	natsOptions := append(fanin.ConnOptions(), nats.Name("fliliy-gateway"))
	if g.cfg.NATS.User != "" {
		natsOptions = append(natsOptions, nats.UserInfo(g.cfg.NATS.User, g.cfg.NATS.Password))
	}
	if natsTLS != nil {
		natsOptions = append(natsOptions, nats.Secure(natsTLS))
	}
	if g.nats, err = nats.Connect(g.cfg.NATS.URL, natsOptions...); err != nil {
		return fmt.Errorf("nats at %s: %w", g.cfg.Redacted().NATS.URL, err)
	}
	return nil
}

// hangUp closes what dial has made.
func (g *Gateway) hangUp() error {
	var failed error
	if g.chatsvc != nil {
		failed = g.chatsvc.Close()
	}
	if g.redis != nil {
		failed = errors.Join(failed, g.redis.Close())
	}
	if g.peers != nil {
		_ = g.peers.Close() // it is closed already where Run has ended
	}
	if g.peerRedis != nil {
		failed = errors.Join(failed, g.peerRedis.Close())
	}
	if g.nats != nil {
		g.nats.Close()
	}
	return failed
}

// assemble makes the parts behind the sessions. The one circle of the house is closed in Run: hub asks fan-in for
// interest, fan-in delivers to hub.
func (g *Gateway) assemble(verifier *auth.Verifier, counts *metrics.Metrics) {
	g.fanin = fanin.New(g.nats, fanin.Options{Logger: g.logger, Metrics: counts})
	g.hub = hub.New(hub.Options{
		Interest: g.fanin, Logs: g.relay, Logger: g.logger, Metrics: counts,
		Tuning: hub.Tuning{RecentBytes: g.cfg.Limits.RecentBytes},
	})
	g.presence = presence.New(g.redis, presence.Options{
		Debounce: cmp.Or(g.cfg.PresenceDebounce, -1), // 0 is none here, and the default there
		Metrics:  counts,
		Notify:   func(changes []presence.Change) { g.herald.Notify(statusChanges(changes)) },
		Logger:   g.logger,
	})
	g.herald = herald.New(g.relay, &presenceLookup{g.presence}, g.logger)

	g.limits = limit.New(limitConfig(g.cfg.Limits, g.cfg.Rates), limit.Options{
		Redis: g.redis, Metrics: counts, Logger: g.logger,
	})

	g.sessions = session.New(sessionConfig(g.cfg.Limits), session.Deps{
		Hub: g.hub, Relay: g.relay, Presence: g.presence, Where: g.herald, Auth: verifier, Tickets: g.tickets,
		Metrics: counts, Logger: g.logger,
	})
}

// openDoor makes the public and the admin server and listens on both.
func (g *Gateway) openDoor(
	o *options, verifier *auth.Verifier, counts *metrics.Metrics, scrape http.Handler,
) (*edge.Server, error) {
	ctx, dismiss := context.WithCancel(context.Background())
	g.dismiss = dismiss
	if err := g.meetPeers(ctx, counts); err != nil {
		return nil, err
	}
	pages := origin.NewList(g.cfg.Origins, func() { counts.Limited.Inc(metrics.LimitOrigin) })
	sockets := g.openSockets(ws.Options{
		Origins: pages, Verify: verifier.Verify, Redeem: g.tickets.Redeem, Context: ctx, Logger: g.logger, Metrics: counts,
	}, counts)
	serving, err := g.openCertificate(counts)
	if err != nil {
		return nil, err
	}
	api := http.NewServeMux()
	api.Handle("/api/v1/", rest.Handler(g.chatsvc, limitedUsers{verifier, g.limits}, rest.WithLogger(g.logger),
		rest.WithTickets(g.tickets, ticket.Life)))
	for pattern, handler := range o.routes {
		api.Handle(pattern, handler)
	}
	door := edge.New(edge.Options{
		Addr: g.cfg.Addr, AddrSetting: config.Prefix + "ADDR",
		AdminToken: g.cfg.AdminToken,
		AdminAddr:  g.cfg.AdminAddr, AdminAddrSetting: config.Prefix + "ADMIN_ADDR",
		WS:          sockets,
		REST:        pages.CORS(g.limitRequests(g.limitGuesses(api))),
		Certificate: serving, TrustedProxies: g.cfg.TrustedProxies, ProxyProtocol: g.cfg.ProxyProtocol,
		SocketBuffer: g.cfg.Limits.SocketBuffer, HandshakeTime: handshakeTime(g.cfg.Limits),
		Web: web.Handler(), Metrics: scrape,
		Checks: g.checks(), SoftChecks: g.softChecks(), Logger: g.logger,
		Drain: g.Drain, Sessions: g.crowd.size,
	})
	return door, door.Listen(ctx)
}

// softChecks are what this gateway can serve without: people still chat without presence.
func (g *Gateway) softChecks() []edge.Check {
	return []edge.Check{{Name: "redis", Ready: func(context.Context) error { return g.presence.Ready() }}}
}

// checks are what this gateway cannot serve without.
func (g *Gateway) checks() []edge.Check {
	checks := []edge.Check{
		{Name: "chatsvc", Ready: func(context.Context) error { return g.relay.Ready() }},
		{Name: "nats", Ready: g.fanin.Ready},
		{Name: "revocations", Ready: g.revoked.Ready},
	}
	if g.jwks != nil {
		checks = append(checks, edge.Check{Name: "jwks", Ready: g.jwks.Ready})
	}
	return checks
}

// Addr is where the public server listens.
func (g *Gateway) Addr() string { return g.edge.Addr() }

// AdminAddr is where the admin server listens; empty without one.
func (g *Gateway) AdminAddr() string { return g.edge.AdminAddr() }

// Ready is closed once the gateway serves and has reached chatsvc and NATS for the first time.
func (g *Gateway) Ready() <-chan struct{} { return g.ready }

// Run serves until ctx ends, then drains (see Drain), waits for the last session up to the configured times, and stops
// the servers and the parts behind them. It is called once.
func (g *Gateway) Run(ctx context.Context) error {
	parts, stopParts := context.WithCancel(context.WithoutCancel(ctx))
	defer stopParts()
	failed := make(chan error, 16) // more than there are parts
	var running sync.WaitGroup
	for name, run := range g.parts() {
		running.Go(func() {
			if err := run(parts); err != nil && parts.Err() == nil {
				failed <- fmt.Errorf("%s: %w", name, err)
			}
		})
	}
	running.Go(func() { g.awaitReady(parts) })

	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	running.Go(func() {
		if err := g.edge.Run(serving); err != nil {
			failed <- err
		}
	})
	var failure error
	select {
	case failure = <-failed:
	case <-ctx.Done():
	}
	g.empty()
	stopServing()
	stopParts()
	running.Wait()
	close(failed)
	for err := range failed { // while stopping
		failure = errors.Join(failure, err)
	}
	return errors.Join(failure, g.hangUp())
}

// parts are what runs behind the doors, by name.
func (g *Gateway) parts() map[string]func(context.Context) error {
	parts := map[string]func(context.Context) error{
		"relay":       g.relay.Run,
		"fan-in":      func(ctx context.Context) error { return g.fanin.Run(ctx, g.hub) },
		"hub":         func(ctx context.Context) error { g.hub.Run(ctx); return nil },
		"presence":    g.presence.Run,
		"revocations": func(ctx context.Context) error { return g.revoked.Run(ctx, g.nats, g.sessions) },
		"limits":      g.limits.Run,
		"herald":      g.herald.Run,
		"memory":      memory.Keeper{Size: g.crowd.size, Free: debug.FreeOSMemory, Every: memoryEvery}.Run,
	}
	if g.jwks != nil {
		parts["JWKS"] = g.jwks.Run
	}
	if g.tls != nil {
		parts["TLS certificate"] = g.tls.Run
	}
	if g.peers != nil {
		parts["peers"] = func(ctx context.Context) error { return g.peers.Run(ctx, g.carried) }
	}
	return parts
}

// memoryEvery is how often this gateway looks whether a rush of clients is over.
const memoryEvery = 5 * time.Second

// readyPoll is how often a starting gateway looks whether it is ready.
const readyPoll = 20 * time.Millisecond

// awaitReady closes ready once all checks pass.
func (g *Gateway) awaitReady(ctx context.Context) {
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for checks := g.checks(); len(checks) > 0; {
		if checks[0].Ready(ctx) == nil {
			checks = checks[1:]
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
	close(g.ready)
}
