// Package sockjs is the SockJS transport (protocol 0.3.3): sessions over plain HTTP requests for clients whose network
// lets no WebSocket through, and SockJS framing on WebSockets for those whose library insists on it. It moves bytes
// between a client and whoever serves the connection; it knows no STOMP and no user database, and does not upgrade
// WebSockets itself. The edge mounts its Handler; the composition root says what serves a Conn.
//
// A session over HTTP lives in the memory of one gateway: the first request for its id opens it. A request that comes
// to another gateway is carried there (ports.go, Peers), so that a load balancer may spread every single request.
// An id alone opens no door: a session answers only requests that show what the first one showed (binding.go).
package sockjs

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/fliliy/chat/gateway/internal/metrics"
	"github.com/fliliy/chat/gateway/internal/transport"
)

const (
	defaultMaxMessage      = 128 << 10
	defaultResponseLimit   = 128 << 10
	defaultHeartbeat       = 25 * time.Second
	defaultDisconnectDelay = 5 * time.Second
)

// Options of a Handler. Prefix, Serve, Admit and CheckOrigin are required.
type Options struct {
	// Prefix is the path of the service, such as /ws, without a slash at the end.
	Prefix string
	// Serve runs a session over HTTP to its end, in a goroutine of its own. The context is Context.
	Serve func(ctx context.Context, c *Conn, h transport.Handshake)
	// Admit judges the request that is to open a session, and answers it itself when it may not.
	Admit func(w http.ResponseWriter, r *http.Request) (transport.Handshake, bool)
	// CheckOrigin judges where any request comes from, and answers it itself when it may not come.
	CheckOrigin func(w http.ResponseWriter, r *http.Request) bool
	// WebSocket upgrades requests to a WebSocket that is then served with Frame; nil: not offered.
	WebSocket http.Handler
	// Raw upgrades requests to a WebSocket without SockJS framing; nil: not offered.
	Raw http.Handler
	// Peers are the other gateways; nil: there is none.
	Peers Peers
	// Context is the parent of all sessions; Background when nil.
	Context  context.Context
	Logger   *slog.Logger // the default logger when nil
	Metrics  *metrics.Metrics
	Features Features
	Tuning   Tuning
}

// Features are what is off unless asked for.
type Features struct {
	JSONP        bool     // the transport of browsers without CORS; its messages pass as scripts
	HTMLFile     bool     // the transport of Internet Explorer 6 to 9
	ClientURL    string   // where iframe.html finds the client library; "" serves no such page
	Ancestors    []string // origins of the pages that may frame it, beside our own
	CookieNeeded bool     // the load balancer needs a JSESSIONID cookie to be sticky
	AnyOrigin    bool     // pages of any origin may read answers, as the public suite expects; never where there are secrets
}

// Tuning are limits and times; zero ones mean the defaults.
type Tuning struct {
	MaxMessage      int           // largest message of a client in bytes, else close 1009; 128 KiB
	ResponseLimit   int           // bytes after which a streaming answer ends, for browsers keep all of it; 128 KiB
	Heartbeat       time.Duration // of silence after which an h-frame is sent; 25 s
	DisconnectDelay time.Duration // without a request that waits for messages a session lives so long; 5 s
}

func (o Options) withDefaults() Options {
	if o.Context == nil {
		o.Context = context.Background()
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Tuning.MaxMessage <= 0 {
		o.Tuning.MaxMessage = defaultMaxMessage
	}
	if o.Tuning.ResponseLimit <= 0 {
		o.Tuning.ResponseLimit = defaultResponseLimit
	}
	if o.Tuning.Heartbeat <= 0 {
		o.Tuning.Heartbeat = defaultHeartbeat
	}
	if o.Tuning.DisconnectDelay <= 0 {
		o.Tuning.DisconnectDelay = defaultDisconnectDelay
	}
	return o
}

// Handler answers all paths below its prefix. It must get them as the client sent them: with http.ServeMux in front,
// paths with empty segments are redirected instead of refused.
type Handler struct {
	opts     Options
	iframe   *page // nil: none
	sessions table
}

// New makes a Handler.
func New(opts Options) *Handler {
	h := &Handler{opts: opts.withDefaults()}
	h.sessions.entries = map[string]*entry{}
	if url := opts.Features.ClientURL; url != "" {
		h.iframe = newIframe(url, h.opts.Features.Ancestors)
	}
	return h
}

// ServeHTTP answers clients.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.route(w, r, false) }

// Carried answers requests that other gateways carry here: for sessions that live here, and no others. Where they come
// from has been checked there.
func (h *Handler) Carried() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.route(w, r, true) })
}

func (h *Handler) route(w http.ResponseWriter, r *http.Request, carried bool) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer") // the URL may carry a token
	path, below := strings.CutPrefix(r.URL.EscapedPath(), h.opts.Prefix)
	if !below {
		http.NotFound(w, r)
		return
	}
	if raw := path == "" || path == "/websocket"; raw && h.opts.Raw != nil && (path != "" || isUpgrade(r)) && !carried {
		h.opts.Raw.ServeHTTP(w, r)
		return
	}
	if !carried && !h.opts.CheckOrigin(w, r) {
		return
	}
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	switch {
	case len(segments) == 3:
		h.session(w, r, segments, carried)
	case len(segments) == 1 && !carried:
		h.static(w, r, segments[0])
	default:
		http.NotFound(w, r)
	}
}

// isUpgrade says whether a request wants to be a WebSocket, however badly it says so.
func isUpgrade(r *http.Request) bool {
	return r.Header.Get("Upgrade") != "" || r.Header.Get("Sec-Websocket-Key") != "" || r.Method == http.MethodConnect
}

// count counts sessions that have come, or gone.
func (h *Handler) count(n float64) {
	if h.opts.Metrics != nil {
		h.opts.Metrics.SockJSSessions.Add(n)
	}
}

// serve runs one session. A panic ends this session and no other.
func (h *Handler) serve(c *Conn) {
	defer func() {
		if cause := recover(); cause != nil {
			h.opts.Logger.Error("session panicked: this connection is closed, the others go on",
				"panic", cause, "stack", string(debug.Stack()))
			_ = c.Close(transport.CloseInternal, "internal error")
			return
		}
		_ = c.Close(transport.CloseNormal, "")
	}()
	h.opts.Serve(h.opts.Context, c, c.handshake)
}
