package chatsvc

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// probeTimeout is how long the store may take to prove that it is there.
const probeTimeout = 2 * time.Second

// admin is the server for operators: metrics, health and profiles. It is never on the address of gRPC.
type admin struct {
	server   *http.Server
	probe    probe
	draining atomic.Bool
}

func newAdmin(registry *prometheus.Registry, probe probe, token string) *admin {
	a := &admin{probe: probe}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", a.ready)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	a.server = &http.Server{Handler: forOperators(token, mux), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	return a
}

// forOperators asks for the admin token, in constant time; without one it asks nobody. Probes have none.
func forOperators(token string, next http.Handler) http.Handler {
	if token == "" {
		return next
	}
	want := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, shown, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(shown))
		good := subtle.ConstantTimeCompare(got[:], want[:]) == 1
		probe := r.URL.Path == "/healthz" || r.URL.Path == "/readyz"
		if !probe && (!good || !strings.EqualFold(scheme, "Bearer")) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, `the admin token is needed: send the header "Authorization: Bearer <token>"`, http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (a *admin) serve(listener net.Listener) error {
	if err := a.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// drain makes /readyz say no, so that nobody new is sent here.
func (a *admin) drain() { a.draining.Store(true) }

func (a *admin) close() { _ = a.server.Close() }

// ready says whether this replica can do its work. NATS is named and does not count: without it messages are still
// stored, and gateways repair from the store; taking all replicas away would turn a delay into an outage.
func (a *admin) ready(w http.ResponseWriter, r *http.Request) {
	state, code := "ready", http.StatusOK
	switch err := a.probe.checkStore(r.Context()); {
	case a.draining.Load():
		state, code = "draining", http.StatusServiceUnavailable
	case err != nil:
		state, code = "not ready: the database does not answer", http.StatusServiceUnavailable
	}
	w.WriteHeader(code)
	_, _ = fmt.Fprintf(w, "%s\nnats: %s\n", state, a.probe.natsState())
}

// probe is what readiness depends on.
type probe struct {
	store chat.LogStore
	nats  *nats.Conn
}

// natsState is how NATS is, and what was wrong with it last.
func (p probe) natsState() string {
	state := p.nats.Status().String()
	if err := p.nats.LastError(); err != nil && !p.nats.IsConnected() {
		state += ": " + err.Error()
	}
	return state
}

func (p probe) checkStore(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	_, err := p.store.Heads(ctx, []chat.LogRef{{Room: 1}})
	return err
}
