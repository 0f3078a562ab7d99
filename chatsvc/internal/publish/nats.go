package publish

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/time/rate"

	"github.com/fliliy/chat/chatsvc/internal/metrics"
)

// Timings of the connection. A NATS server that does not answer is given up after about pingEvery * 3.
const (
	connectTimeout = 2 * time.Second
	writeTimeout   = 2 * time.Second
	pingEvery      = 2 * time.Second
	reconnectWait  = 200 * time.Millisecond
)

// DialOptions say where NATS is.
type DialOptions struct {
	URL            string      // one or more servers, separated by commas
	User, Password string      // or both empty
	TLS            *tls.Config // nil: as the URL says
	Logger         *slog.Logger
	Metrics        metrics.Post
}

// Dial connects as a Publisher wants it: for ever, in the background when NATS is away, and without a buffer for the
// time in which it is (see the package comment). It fails only on options that can never work.
func Dial(opts DialOptions) (*nats.Conn, error) {
	connected, noise := opts.Metrics.Connected, &rate.Sometimes{First: 1, Interval: 10 * time.Second}
	options := []nats.Option{
		nats.Name("fliliy-chatsvc"),
		nats.Timeout(connectTimeout),
		nats.FlusherTimeout(writeTimeout),
		nats.PingInterval(pingEvery),
		nats.MaxPingsOutstanding(2),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(reconnectWait/2, reconnectWait/2),
		nats.ReconnectBufSize(-1),
		nats.IgnoreAuthErrorAbort(),
		nats.ConnectHandler(func(*nats.Conn) { connected.Set(1) }),
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			connected.Set(0)
			if !nc.IsClosed() {
				opts.Logger.Warn("NATS is away; gateways repair from the store meanwhile", "error", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			connected.Set(1)
			opts.Logger.Info("NATS is back", "server", nc.ConnectedUrlRedacted())
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			noise.Do(func() { opts.Logger.Error("NATS refused something", "error", err) })
		}),
	}
	if opts.User != "" {
		options = append(options, nats.UserInfo(opts.User, opts.Password))
	}
	if opts.TLS != nil {
		options = append(options, nats.Secure(opts.TLS))
	}
	nc, err := nats.Connect(opts.URL, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	if !nc.IsConnected() {
		opts.Logger.Warn("NATS cannot be reached; going on without, trying again in the background")
	}
	return nc, nil
}
