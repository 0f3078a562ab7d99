// Package peer lets gateways find each other's sessions and carry requests to the gateway that holds one, so that a load
// balancer may send each request of a session to another gateway (sockjs.Peers). Who holds what stands in Redis, under
// a lease; requests travel over an address of their own, which is never public, and show a pass that only gateways can
// make. It knows no SockJS and no session: to it a session is a name, and a request a request.
//
// A gateway asks Redis once about a session that lives elsewhere, and remembers the answer. Of its own sessions it asks
// nothing. When Redis is away, all that is known goes on; the rest is refused within CallTimeout, and at once for a
// second after that.
package peer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fliliy/chat/gateway/internal/metrics"
)

const (
	leaseTime  = 30 * time.Second // after which sessions of a dead gateway are forgotten
	renewEvery = 10 * time.Second

	// CallTimeout is the longest that a request waits for Redis.
	CallTimeout = 500 * time.Millisecond
	restTime    = time.Second // without a call, once one has failed

	headerTimeout   = 10 * time.Second
	shutdownTimeout = time.Second
)

// MinSecret is the least length of a secret in bytes.
const MinSecret = 32

// Options of Peers. All but URL, Metrics and Logger are required.
type Options struct {
	Redis redis.UniversalClient
	// Addr is where this gateway listens for others, host:port; port 0 takes a free one.
	Addr string
	// URL is how the others reach it; "" is http and the address, or one of this machine's where Addr names none.
	URL     string
	Secret  []byte // of all gateways, at least MinSecret bytes
	Metrics *metrics.Metrics
	Logger  *slog.Logger // the default logger when nil
}

// Peers are the other gateways. Call New, then Run.
type Peers struct {
	opts     Options
	url      string
	listener net.Listener
	proxy    *httputil.ReverseProxy
	known    memory // sessions that live elsewhere

	held      holdings
	restUntil atomic.Int64 // Unix nanoseconds: Redis has just failed
}

// New listens for other gateways.
func New(ctx context.Context, opts Options) (*Peers, error) {
	if len(opts.Secret) < MinSecret {
		return nil, fmt.Errorf("the secret of gateways has %d bytes, at least %d are needed", len(opts.Secret), MinSecret)
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", opts.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen for other gateways on %s: %w", opts.Addr, err)
	}
	p := &Peers{opts: opts, url: opts.URL, listener: listener, held: newHoldings()}
	if p.url == "" {
		if p.url, err = ownURL(listener.Addr()); err != nil {
			return nil, errors.Join(err, listener.Close())
		}
	}
	p.proxy = p.newProxy()
	return p, nil
}

// ownURL is how others on the network reach a listener.
func ownURL(addr net.Addr) (string, error) {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return "http://" + addr.String(), nil
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return "", fmt.Errorf("find an address of this machine: %w", err)
	}
	for _, one := range all {
		if network, ok := one.(*net.IPNet); ok && network.IP.IsGlobalUnicast() {
			return "http://" + (&net.TCPAddr{IP: network.IP, Port: tcp.Port}).String(), nil
		}
	}
	return "", errors.New("this machine has no address that other gateways could reach: say which URL they are to use")
}

// URL is how other gateways reach this one.
func (p *Peers) URL() string { return p.url }

// Close stops listening, where Run was not called.
func (p *Peers) Close() error { return p.listener.Close() }

// Run answers other gateways with the handler, and keeps the leases of this gateway's sessions, until the context ends.
func (p *Peers) Run(ctx context.Context, handler http.Handler) error {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true) // many waiting requests, one connection
	server := &http.Server{
		Handler: p.guard(handler), Protocols: protocols, ReadHeaderTimeout: headerTimeout,
		ErrorLog: slog.NewLogLogger(p.opts.Logger.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(p.listener) }()
	err := p.keepLeases(ctx, failed)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if server.Shutdown(stop) != nil {
		_ = server.Close() // what is under way has had its time
	}
	return err
}

// keepLeases renews and drops leases until the context ends or the server fails.
func (p *Peers) keepLeases(ctx context.Context, failed <-chan error) error {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			p.dropAll(context.WithoutCancel(ctx))
			return nil
		case err := <-failed:
			return fmt.Errorf("serve other gateways: %w", err)
		case <-tick.C:
			p.renew(ctx)
		case <-p.held.released:
			p.drop(ctx, p.held.takeReleased())
		}
	}
}
