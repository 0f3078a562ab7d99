package gateway

import (
	"context"
	"fmt"
	"net/http"

	"github.com/fliliy/chat/gateway/config"
	"github.com/fliliy/chat/gateway/internal/metrics"
	"github.com/fliliy/chat/gateway/internal/peer"
	"github.com/fliliy/chat/gateway/internal/transport"
	"github.com/fliliy/chat/gateway/internal/transport/sockjs"
	"github.com/fliliy/chat/gateway/internal/transport/ws"
)

// maxMessage is the largest message of a client in bytes, by whichever transport.
const maxMessage = 128 << 10

// meetPeers makes this gateway known to the others, if it is to be.
func (g *Gateway) meetPeers(ctx context.Context, counts *metrics.Metrics) (err error) {
	if g.cfg.Peer.Addr == "" {
		g.logger.Info("no " + config.Prefix + "PEER_ADDR: SockJS sessions over HTTP need a load balancer that keeps each on one " +
			"gateway, or a single gateway")
		return nil
	}
	if g.peerRedis, err = g.dialRedis(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	g.peers, err = peer.New(ctx, peer.Options{
		Redis: g.peerRedis, Addr: g.cfg.Peer.Addr, URL: g.cfg.Peer.URL, Secret: []byte(g.cfg.Peer.Secret),
		Metrics: counts, Logger: g.logger,
	})
	return err
}

// openSockets makes the handler of /ws: WebSockets, with and without SockJS framing, and SockJS sessions over HTTP.
func (g *Gateway) openSockets(options ws.Options, counts *metrics.Metrics) http.Handler {
	options.MaxMessage = maxMessage
	options.Serve = func(ctx context.Context, conn *ws.Conn, h transport.Handshake) {
		g.serve(ctx, conn, h, conn.Flooded)
	}
	framed := options
	framed.MaxMessage = sockjs.FrameLimit(maxMessage)
	framed.Serve = func(ctx context.Context, conn *ws.Conn, h transport.Handshake) {
		session, err := sockjs.Frame(ctx, conn, maxMessage)
		if err != nil {
			return // the client is gone
		}
		g.serve(ctx, session, h, conn.Flooded)
	}
	checks := ws.NewChecks(options)
	handler := sockjs.Options{
		Prefix: "/ws", Context: options.Context, Logger: options.Logger, Metrics: counts,
		Serve:       func(ctx context.Context, c *sockjs.Conn, h transport.Handshake) { g.serve(ctx, c, h, nil) },
		Admit:       g.admit(checks),
		CheckOrigin: checks.Origin,
		Raw:         g.opening(ws.Handler(options)),
		WebSocket:   g.opening(ws.Handler(framed)),
		Features: sockjs.Features{
			JSONP: g.cfg.SockJS.JSONP, HTMLFile: g.cfg.SockJS.HTMLFile,
			ClientURL: g.cfg.SockJS.ClientURL, Ancestors: g.cfg.Origins,
		},
		Tuning: sockjs.Tuning{MaxMessage: maxMessage},
	}
	if g.peers != nil {
		handler.Peers = g.peers
	}
	sessions := sockjs.New(handler)
	g.carried = sessions.Carried()
	return sessions
}

// opening is what a request passes that opens a connection.
func (g *Gateway) opening(next http.Handler) http.Handler {
	return g.whileOpen(g.limitOpening(g.limitGuesses(next)))
}

// admit judges requests that open a SockJS session over HTTP as those that open a WebSocket are.
func (g *Gateway) admit(checks ws.Checks) func(http.ResponseWriter, *http.Request) (transport.Handshake, bool) {
	return func(w http.ResponseWriter, r *http.Request) (h transport.Handshake, ok bool) {
		g.opening(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h, ok = checks.Token(w, r)
		})).ServeHTTP(w, r)
		return h, ok
	}
}
