package gateway

import (
	"context"
	"net/http"
	"strings"

	"github.com/fliliy/chat/gateway/internal/conformance"
	"github.com/fliliy/chat/gateway/internal/session"
	"github.com/fliliy/chat/gateway/internal/transport"
	"github.com/fliliy/chat/gateway/internal/transport/sockjs"
	"github.com/fliliy/chat/gateway/internal/transport/ws"
)

// streamedEcho is after how many bytes the public SockJS suite wants streaming answers of /echo to end.
const streamedEcho = 4 << 10

// byService hands requests to the service that the first segment of their path names, with the path as the client sent
// it: http.ServeMux would redirect paths with empty segments, which SockJS has to refuse.
type byService map[string]http.Handler

func (services byService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	service := services[name]
	if service == nil {
		service = http.NotFoundHandler()
	}
	service.ServeHTTP(w, r)
}

// serveConn runs a connection to its end, whatever its transport.
type serveConn func(context.Context, session.Conn, transport.Handshake)

// suiteServices are those that the public SockJS suite expects.
func (c *Conformance) suiteServices(sockets ws.Options) byService {
	repeat := func(ctx context.Context, conn session.Conn, _ transport.Handshake) { conformance.Repeat(ctx, conn) }
	goAway := func(_ context.Context, conn session.Conn, _ transport.Handshake) { conformance.GoAway(conn) }
	without := c.service("/disabled_websocket_echo", sockets, repeat)
	without.Raw, without.WebSocket = nil, nil
	cookies := c.service("/cookie_needed_echo", sockets, repeat)
	cookies.Features.CookieNeeded = true
	echo := c.service("/echo", sockets, repeat)
	echo.Tuning.ResponseLimit = streamedEcho
	services := byService{}
	for _, service := range []sockjs.Options{echo, c.service("/close", sockets, goAway), without, cookies} {
		services[service.Prefix[1:]] = sockjs.New(service)
	}
	return services
}

// service is one SockJS service: every transport is on, for pages of every origin.
func (c *Conformance) service(prefix string, sockets ws.Options, serve serveConn) sockjs.Options {
	limit := sockets.MaxMessage
	checks := ws.NewChecks(sockets)
	raw, framed := sockets, sockets
	raw.Serve = func(ctx context.Context, conn *ws.Conn, h transport.Handshake) { c.counted(serve)(ctx, conn, h) }
	framed.MaxMessage = sockjs.FrameLimit(limit)
	framed.Serve = func(ctx context.Context, conn *ws.Conn, h transport.Handshake) {
		if session, err := sockjs.Frame(ctx, conn, limit); err == nil { // else the client is gone
			c.counted(serve)(ctx, session, h)
		}
	}
	return sockjs.Options{
		Prefix: prefix, Context: sockets.Context, Logger: sockets.Logger,
		Serve: func(ctx context.Context, conn *sockjs.Conn, h transport.Handshake) { c.counted(serve)(ctx, conn, h) },
		Admit: checks.Token, CheckOrigin: checks.Origin,
		Raw: ws.Handler(raw), WebSocket: ws.Handler(framed),
		Features: sockjs.Features{JSONP: true, HTMLFile: true, ClientURL: "/sockjs.js", AnyOrigin: true},
		Tuning:   sockjs.Tuning{MaxMessage: limit},
	}
}
