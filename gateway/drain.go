package gateway

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/fliliy/chat/gateway/internal/session"
	"github.com/fliliy/chat/gateway/internal/transport"
)

// drainMargin is kept free at the end of the drain time: for outcomes that are still to come, and for closing.
const drainMargin = 2 * time.Second

// drainSpread is the part of the drain time over which sessions are closed.
func drainSpread(drainTime time.Duration) time.Duration {
	return drainTime - min(drainMargin, drainTime/2)
}

// Drain begins to empty this gateway and returns at once: readiness turns false; after the grace, in which load
// balancers notice, new clients are refused, and all sessions are told and closed one by one over the drain time. All
// else goes on. Calls after the first do nothing; there is no way back.
func (g *Gateway) Drain() {
	g.draining.Do(func() {
		g.logger.Info("this gateway drains", "sessions", g.crowd.size(),
			"grace", g.cfg.Limits.DrainGrace, "time", g.cfg.Limits.DrainTime)
		g.edge.Drain()
		time.AfterFunc(g.cfg.Limits.DrainGrace, func() {
			g.crowd.close()
			g.dismiss()
		})
	})
}

// empty drains, and waits until the last session has gone, but no longer than grace and drain time.
func (g *Gateway) empty() {
	g.Drain()
	limit := time.NewTimer(g.cfg.Limits.DrainGrace + g.cfg.Limits.DrainTime)
	defer limit.Stop()
	select {
	case <-g.crowd.gone:
	case <-limit.C:
		g.logger.Warn("sessions are cut: the drain time is over", "sessions", g.crowd.size())
	}
}

// whileOpen refuses new clients once this gateway drains: 503, which tells them, and load balancers, to try elsewhere.
func (g *Gateway) whileOpen(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.crowd.isClosed() {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer") // the URL may carry a token
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"code":"UNAVAILABLE","message":"this node is leaving: connect again"}`+"\n")
	})
}

// serve runs one connection, to its end or until it waits by itself. flooded says of one that has ended whether it was
// cut for a flood; nil where there can be none.
func (g *Gateway) serve(ctx context.Context, conn session.Conn, h transport.Handshake, flooded func() bool) {
	if !g.crowd.enter() {
		// A peer that is gone need not be told.
		_ = conn.Close(transport.CloseServiceRestart, "this node is leaving: connect again")
		return
	}
	closed, refused := g.limits.Open(h.RemoteAddr)
	if refused != nil {
		_ = conn.Close(transport.CloseTryLater, refused.Message)
		g.crowd.leave()
		return
	}
	g.sessions.Start(ctx, conn, h.Principal, &door{g.limits, h.RemoteAddr}, func() {
		if flooded != nil && flooded() {
			g.limits.Flooded(h.RemoteAddr)
		}
		closed()
		g.crowd.leave()
	})
}
