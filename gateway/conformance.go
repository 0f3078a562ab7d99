package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/fliliy/chat/gateway/internal/conformance"
	"github.com/fliliy/chat/gateway/internal/origin"
	"github.com/fliliy/chat/gateway/internal/session"
	"github.com/fliliy/chat/gateway/internal/transport"
	"github.com/fliliy/chat/gateway/internal/transport/sockjs"
	"github.com/fliliy/chat/gateway/internal/transport/ws"
)

var (
	_ session.Hub           = (*conformance.Broker)(nil)
	_ session.Relay         = (*conformance.Broker)(nil)
	_ session.Presence      = (*conformance.Broker)(nil)
	_ session.Authenticator = (*conformance.Broker)(nil)
	_ session.Destinations  = (*conformance.Broker)(nil)
)

const (
	conformanceBody  = 8 << 20   // a STOMP body; suites send some of 1 MiB
	conformanceKept  = 256 << 20 // what may wait for subscriptions and ACKs
	conformanceQueue = 64 << 20  // what may wait for a client
	conformanceEcho  = 32 << 20  // a message to the echo; suites send some of 16 MiB

	// conformanceWait is for clients of the echo: suites in slow languages take half a minute to look at 16 MiB, and
	// neither read nor answer a ping meanwhile.
	conformanceWait = 2 * time.Minute
)

// Conformance is a plain STOMP broker in memory over the gateway's own WebSocket, STOMP and session code, for public
// conformance suites: STOMP on /ws, by WebSocket and SockJS, a WebSocket echo on /ws-echo, and the services of the SockJS
// suite on /echo, /close, /disabled_websocket_echo and /cookie_needed_echo. See package conformance. NewConformance listens,
// Run serves once.
type Conformance struct {
	listener net.Listener
	server   *http.Server
	dismiss  context.CancelFunc
	crowd    *crowd
}

// NewConformance listens on an address of this machine alone; others are refused, for everybody may log in.
func NewConformance(ctx context.Context, addr string, logger *slog.Logger) (*Conformance, error) {
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", addr, err)
	}
	if !tcp.IP.IsLoopback() {
		return nil, fmt.Errorf("%q is no loopback address, and everybody can log in here: use 127.0.0.1:PORT", addr)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", tcp.String())
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	serving, dismiss := context.WithCancel(context.WithoutCancel(ctx))
	c := &Conformance{listener: listener, dismiss: dismiss, crowd: newCrowd()}
	c.server = &http.Server{Handler: c.routes(serving, logger), ReadHeaderTimeout: 10 * time.Second}
	return c, nil
}

func (c *Conformance) routes(ctx context.Context, logger *slog.Logger) http.Handler {
	broker := conformance.New(conformanceKept)
	limits := session.DefaultConfig()
	limits.Server = "fliliy-chat-conformance/" + Version()
	limits.HeartBeat = session.HeartBeat{Send: time.Second, Receive: time.Second}
	limits.Limits.MaxBody = conformanceBody
	limits.SendQueue = conformanceQueue
	sessions := session.New(limits, session.Deps{
		Destinations: broker, Hub: broker, Relay: broker, Presence: broker, Auth: broker, Logger: logger,
	})
	sockets := ws.Options{
		Origins: origin.NewList([]string{origin.Any}, nil), Verify: broker.Verify, Context: ctx, Logger: logger, MaxMessage: 2 * conformanceBody,
	}
	services := c.suiteServices(sockets)
	services["ws"] = sockjs.New(c.service("/ws", sockets, func(ctx context.Context, conn session.Conn, h transport.Handshake) {
		sessions.Serve(ctx, conn, h.Principal, nil)
	}))
	echo := sockets
	echo.MaxMessage, echo.PongWait, echo.WriteTimeout = conformanceEcho, conformanceWait, conformanceWait
	echo.Serve = func(ctx context.Context, conn *ws.Conn, h transport.Handshake) {
		if c.crowd.enter() {
			defer c.crowd.leave()
			conformance.Echo(ctx, conn, h)
		}
	}
	services["ws-echo"] = ws.Handler(echo)
	return services
}

// counted makes Run wait for connections, whose handlers return right after the upgrade.
func (c *Conformance) counted(serve serveConn) serveConn {
	return func(ctx context.Context, conn session.Conn, h transport.Handshake) {
		if c.crowd.enter() {
			defer c.crowd.leave()
			serve(ctx, conn, h)
		}
	}
}

// Addr is where it listens.
func (c *Conformance) Addr() string { return c.listener.Addr().String() }

// Run serves until the context ends, and returns when all connections are closed.
func (c *Conformance) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		c.dismiss()
		_ = c.server.Close() // Serve tells
	})
	defer stop()
	err := c.server.Serve(c.listener)
	c.dismiss()
	c.crowd.close()
	<-c.crowd.gone
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve the conformance broker: %w", err)
}
