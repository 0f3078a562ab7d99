// Package edge is the gateway's door: the public HTTP server with its table of routes, and the admin server with what
// operators see. It hands requests to the handlers it is given and knows nothing of tokens, frames or sessions; an
// upgraded connection leaves it and is the transport's from then on. The composition root makes one Server.
package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	handshakeTime   = 10 * time.Second
	readTimeout     = 30 * time.Second // a request with its body
	writeTimeout    = time.Minute      // an answer; upgraded connections have their own
	profileTimeout  = 5 * time.Minute  // an answer of the admin server, which may be a long profile
	idleTimeout     = time.Minute
	maxHeaderBytes  = 16 << 10 // a token of 8 KiB fits
	shutdownTimeout = 5 * time.Second
)

// keepAlive finds peers that vanished while nothing is sent.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}

// Options of a Server. Handlers that are nil answer 404.
type Options struct {
	Addr      string // where clients connect, host:port; port 0 takes a free one
	AdminAddr string // where operators look, never a public address; "" is off
	// AdminToken is asked for by the admin server (Authorization: Bearer), but for /healthz; "" asks nobody.
	AdminToken string
	// AddrSetting and AdminAddrSetting are what a person changes to choose another address, for error messages.
	AddrSetting, AdminAddrSetting string

	WS      http.Handler // /ws and all below it, as the client sent it
	REST    http.Handler // /api/v1/
	Web     http.Handler // all other paths
	Metrics http.Handler // /metrics of the admin server

	// Certificate is what TLS is spoken with, by the public server alone; nil: it speaks plain HTTP.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// TrustedProxies are networks whose X-Forwarded-For is believed. With ProxyProtocol their connections have to begin
	// with a PROXY protocol header (version 1 or 2), which says whose they are.
	TrustedProxies []netip.Prefix
	ProxyProtocol  bool
	// SocketBuffer is how many bytes the kernel keeps for a client that does not read, before it doubles them for its
	// book-keeping; 0: as many as the system likes, which may be megabytes.
	SocketBuffer int

	// HandshakeTime is how long a client may take for the header of a request, and before that for TLS, and a proxy for
	// its PROXY header, each: who sends them slowly is cut (slowloris); 10 s.
	HandshakeTime time.Duration

	Checks     []Check // what this gateway cannot serve without: readiness is false while one fails
	SoftChecks []Check // what it can serve without, if worse: shown by /readyz of the admin server, no more

	// Drain begins to empty this gateway (POST /drain of the admin server), and returns at once; calls after the first
	// do nothing. Nil: there is no such path. Sessions is how many are left; nil: not shown.
	Drain    func()
	Sessions func() int
	Logger   *slog.Logger // the default logger when nil
}

// Server is the public and the admin HTTP server. Call New, Listen, Run, in this order.
type Server struct {
	opts     Options
	draining atomic.Bool

	public, admin                 *http.Server // admin is nil when it is off
	publicListener, adminListener net.Listener
}

// New makes a server that does not listen yet.
func New(opts Options) *Server {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.AddrSetting == "" {
		opts.AddrSetting = "FLILIY_GATEWAY_ADDR"
	}
	if opts.AdminAddrSetting == "" {
		opts.AdminAddrSetting = "FLILIY_GATEWAY_ADMIN_ADDR"
	}
	if opts.HandshakeTime <= 0 {
		opts.HandshakeTime = handshakeTime
	}
	s := &Server{opts: opts}
	s.public = s.server(fromProxies(opts.TrustedProxies, s.publicRoutes()), writeTimeout)
	if opts.AdminAddr != "" {
		s.admin = s.server(forOperators(opts.AdminToken, s.adminRoutes()), profileTimeout)
	}
	return s
}

func (s *Server) server(handler http.Handler, writeTimeout time.Duration) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: s.opts.HandshakeTime,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelWarn),
	}
}

// Listen opens the ports, so that one that is taken stops a start before anything else has begun. Connections wait
// until Run.
func (s *Server) Listen(ctx context.Context) error {
	listener, err := listen(ctx, s.opts.Addr, s.opts.AddrSetting)
	if err != nil {
		return err
	}
	if s.admin != nil {
		s.adminListener, err = listen(ctx, s.opts.AdminAddr, s.opts.AdminAddrSetting)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	s.publicListener = s.dress(listener)
	return nil
}

func listen(ctx context.Context, addr, setting string) (net.Listener, error) {
	config := net.ListenConfig{KeepAliveConfig: keepAlive}
	listener, err := config.Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: %w: stop the other program or choose another address with %s",
			addr, syscall.EADDRINUSE, setting)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w: choose another address with %s", addr, err, setting)
	}
	return listener, nil
}

// Addr is where clients connect, with the real port, once Listen has returned.
func (s *Server) Addr() string { return s.publicListener.Addr().String() }

// AdminAddr is where operators look, once Listen has returned; "" when it is off.
func (s *Server) AdminAddr() string {
	if s.adminListener == nil {
		return ""
	}
	return s.adminListener.Addr().String()
}

// Close closes the ports of a server that was never Run.
func (s *Server) Close() error {
	err := s.public.Close()
	if s.publicListener != nil {
		err = errors.Join(err, ignoreClosed(s.publicListener.Close()))
	}
	if s.adminListener != nil {
		err = errors.Join(err, s.admin.Close(), ignoreClosed(s.adminListener.Close()))
	}
	return err
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Drain makes readiness false from now on, so that a load balancer sends no new clients; all else goes on.
func (s *Server) Drain() { s.draining.Store(true) }

// Run serves until the context is done, then stops: readiness turns false, no connection is accepted any more, requests
// under way have five seconds to finish, the admin server goes last. Upgraded connections are left alone. It returns
// nil after such a stop, and an error when serving fails.
func (s *Server) Run(ctx context.Context) error {
	failed := make(chan error, 2)
	servers := 1
	go func() { failed <- s.public.Serve(s.publicListener) }()
	if s.admin != nil {
		servers++
		go func() { failed <- s.admin.Serve(s.adminListener) }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		err = fmt.Errorf("serve http: %w", err)
		servers--
	}
	s.Drain()
	s.shutdown(ctx, s.public)
	if s.admin != nil {
		s.shutdown(ctx, s.admin)
	}
	for range servers {
		if end := <-failed; !errors.Is(end, http.ErrServerClosed) {
			err = errors.Join(err, fmt.Errorf("serve http: %w", end))
		}
	}
	return err
}

// shutdown stops one server, first with patience, then without.
func (s *Server) shutdown(ctx context.Context, server *http.Server) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		s.opts.Logger.WarnContext(ctx, "requests were still under way at shutdown: they are cut", "error", err)
		_ = server.Close()
	}
}
