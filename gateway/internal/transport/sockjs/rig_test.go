package sockjs_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/origin"
	"github.com/fliliy/chat/gateway/internal/principal"
	"github.com/fliliy/chat/gateway/internal/transport"
	"github.com/fliliy/chat/gateway/internal/transport/sockjs"
	"github.com/fliliy/chat/gateway/internal/transport/sockjs/sockjstest"
	"github.com/fliliy/chat/gateway/internal/transport/ws"
)

// conn is what sessions see of a connection.
type conn interface {
	Read(ctx context.Context) ([]byte, error)
	Write(ctx context.Context, messages [][]byte) error
	Close(code transport.CloseCode, reason string) error
}

// echo sends back what comes, message by message.
func echo(c conn) {
	for {
		message, err := c.Read(context.Background())
		if err != nil || c.Write(context.Background(), [][]byte{message}) != nil {
			return
		}
	}
}

// goAway closes at once, as the public suite's service does.
func goAway(c conn) { _ = c.Close(3000, "Go away!") }

// verify knows the tokens of alice and bob.
func verify(_ context.Context, token string) (principal.Principal, error) {
	if user, ok := strings.CutPrefix(token, "token-of-"); ok {
		return principal.Principal{User: user}, nil
	}
	return principal.Principal{}, &event.Error{Code: event.Unauthenticated, Message: "the token is not valid"}
}

// service makes one SockJS service, with WebSockets of package ws, as gateways do.
func service(serve func(c conn, h transport.Handshake), opts sockjs.Options) *sockjs.Handler {
	quiet := slog.New(slog.DiscardHandler)
	wsOptions := ws.Options{Verify: verify, Logger: quiet}
	if opts.Features.AnyOrigin {
		wsOptions.Origins = origin.NewList([]string{origin.Any}, nil)
	}
	checks := ws.NewChecks(wsOptions)
	opts.Admit, opts.CheckOrigin = checks.Token, checks.Origin
	opts.Logger = quiet
	opts.Serve = func(_ context.Context, c *sockjs.Conn, h transport.Handshake) { serve(c, h) }
	wsOptions.Serve = func(_ context.Context, c *ws.Conn, h ws.Handshake) { serve(c, h) }
	opts.Raw = ws.Handler(wsOptions)
	wsOptions.MaxMessage = sockjs.FrameLimit(maxMessage)
	wsOptions.Serve = func(ctx context.Context, c *ws.Conn, h ws.Handshake) {
		if framed, err := sockjs.Frame(ctx, c, maxMessage); err == nil {
			serve(framed, h)
			_ = framed.Close(transport.CloseNormal, "")
		}
	}
	if opts.Prefix != wsOffURL {
		opts.WebSocket = ws.Handler(wsOptions)
	}
	return sockjs.New(opts)
}

func serveHTTP(t testing.TB, handler http.Handler) *sockjstest.Site {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return sockjstest.NewSite(t, server.Listener.Addr().String())
}
