// Package ws is the WebSocket transport: it checks a handshake, upgrades the request and moves bytes between the client
// and whoever serves the connection (RFC 6455). It knows no STOMP, no session and no user database. The edge mounts its
// Handler; the composition root says what serves a Conn.
//
// An idle connection costs its struct and one timer, no buffer, and no goroutine where who serves it uses Await: the
// HTTP handler returns right after the upgrade, and with it go the request and the 4 KiB buffers of net/http.
package ws

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/fliliy/chat/gateway/internal/metrics"
	"github.com/fliliy/chat/gateway/internal/origin"
	"github.com/fliliy/chat/gateway/internal/principal"
	"github.com/fliliy/chat/gateway/internal/transport"
)

const (
	defaultMaxMessage   = 128 << 10
	defaultPingEvery    = 25 * time.Second
	defaultPongWait     = 10 * time.Second
	defaultWriteTimeout = 10 * time.Second

	// closeTimeout is how long a connection lingers after our close frame: for what is still to be written, and for
	// the peer's answer.
	closeTimeout = time.Second
)

// subprotocols in the order of our preference. The STOMP version itself is negotiated by CONNECT.
var subprotocols = []string{"v12.stomp", "v11.stomp", "v10.stomp"}

// Handshake is what the upgrade request said about the client.
type Handshake = transport.Handshake

// Options of a Handler. Serve and Verify are required; zero durations and sizes mean the defaults.
type Options struct {
	// Origins are the pages that may connect; the zero value allows those of the server's own origin alone.
	Origins origin.List
	// Metrics count limits that were broken; nil: nobody does.
	Metrics *metrics.Metrics
	// Verify tells whose token this is; errors are *event.Error.
	Verify func(ctx context.Context, token string) (principal.Principal, error)
	// Redeem does so for a one-time ticket, and uses it up. Nil: ?ticket= is not looked at.
	Redeem func(ctx context.Context, ticket string) (principal.Principal, error)
	// Serve runs the connection to its end, in a goroutine of its own, or until it has called Await. The context is
	// Context.
	Serve func(ctx context.Context, c *Conn, h Handshake)
	// Context is the parent of all connections; Background when nil.
	Context context.Context
	Logger  *slog.Logger // the default logger when nil

	MaxMessage   int           // largest message of a client in bytes, else close 1009; 128 KiB
	PingEvery    time.Duration // between pings to the client; 25 s
	PongWait     time.Duration // for any sign of life after a ping; 10 s
	WriteTimeout time.Duration // for the kernel to take one write, so that a dead peer cannot block for ever; 10 s
}

func (o Options) withDefaults() Options {
	if o.Context == nil {
		o.Context = context.Background()
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.MaxMessage <= 0 {
		o.MaxMessage = defaultMaxMessage
	}
	if o.PingEvery <= 0 {
		o.PingEvery = defaultPingEvery
	}
	if o.PongWait <= 0 {
		o.PongWait = defaultPongWait
	}
	if o.WriteTimeout <= 0 {
		o.WriteTimeout = defaultWriteTimeout
	}
	return o
}

// Handler accepts WebSocket upgrades. A request that is no proper one is answered with a 4xx status and a JSON body
// {"code","message"}: 400, 405, 426 for what is wrong with the handshake, 403 for the origin, 401 for the token.
func Handler(opts Options) http.Handler {
	opts = opts.withDefaults()
	forConn := &connOptions{
		opts.MaxMessage, opts.PingEvery, opts.PongWait, opts.WriteTimeout,
		func(cause any) {
			opts.Logger.Error("session panicked: this connection is closed, the others go on",
				"panic", cause, "stack", string(debug.Stack()))
		},
		opts.Metrics,
	}
	return &handler{opts: opts, forConn: forConn, Checks: NewChecks(opts)}
}

type handler struct {
	opts    Options
	forConn *connOptions
	Checks
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Referrer-Policy", "no-referrer") // the URL may carry a token
	w.Header().Set("Cache-Control", "no-store")
	if !checkUpgrade(w, r) || !h.Origin(w, r) {
		return
	}
	handshake, ok := h.Token(w, r)
	if !ok {
		return
	}
	if c := h.upgrade(w, r); c != nil {
		go c.guard(func() { h.serve(c, handshake) })
	}
}

// serve runs one connection, to its end unless who serves it waits by Await.
func (h *handler) serve(c *Conn, handshake Handshake) {
	h.opts.Serve(h.opts.Context, c, handshake)
	if !c.waiting.used.Load() {
		_ = c.Close(transport.CloseNormal, "") // who is gone need not be told
	}
}

// guard calls what serves a connection. A panic ends this connection and no other.
func (c *Conn) guard(serve func()) {
	defer func() {
		if cause := recover(); cause != nil {
			c.opts.panicked(cause)
			_ = c.Close(transport.CloseInternal, "internal error")
		}
	}()
	serve()
}
