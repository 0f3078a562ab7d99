package sockjs_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/internal/transport"
	"github.com/fliliy/chat/gateway/internal/transport/sockjs"
	"github.com/fliliy/chat/gateway/internal/transport/sockjs/sockjstest"
)

const (
	echoURL   = "/echo"
	closeURL  = "/close"
	wsOffURL  = "/disabled_websocket_echo"
	cookieURL = "/cookie_needed_echo"
)

func TestPublicSuite(t *testing.T) {
	t.Parallel()
	sockjstest.Run(t, suiteSite(t).Addr)
}

// suiteSite serves what the public suite expects of its test server.
func suiteSite(t *testing.T) *sockjstest.Site {
	t.Helper()
	features := sockjs.Features{JSONP: true, HTMLFile: true, ClientURL: "/sockjs.js", AnyOrigin: true}
	small := sockjs.Tuning{ResponseLimit: 4096}
	echoes := func(c conn, _ transport.Handshake) { echo(c) }
	services := map[string]http.Handler{
		echoURL:  service(echoes, sockjs.Options{Prefix: echoURL, Features: features, Tuning: small}),
		closeURL: service(func(c conn, _ transport.Handshake) { goAway(c) }, sockjs.Options{Prefix: closeURL, Features: features}),
		wsOffURL: service(echoes, sockjs.Options{Prefix: wsOffURL, Features: features}),
	}
	features.CookieNeeded = true
	services[cookieURL] = service(echoes, sockjs.Options{Prefix: cookieURL, Features: features})
	return serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if service := services["/"+name]; service != nil {
			service.ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	}))
}
