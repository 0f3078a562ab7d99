package fanin

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
)

// ConnOptions are how a fan-in's connection is to be made: it never gives up, starts without a server, notices within
// 4 s that a server is silently gone, and comes back soon but not together with all others.
func ConnOptions() []nats.Option {
	return []nats.Option{
		nats.Name("fliliy-gateway"),
		nats.RetryOnFailedConnect(true),
		nats.IgnoreAuthErrorAbort(),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(250*time.Millisecond, 250*time.Millisecond),
		nats.PingInterval(1200 * time.Millisecond),
		nats.MaxPingsOutstanding(2),
		nats.FlusherTimeout(3 * time.Second),
		nats.ReconnectOnFlusherError(),
		nats.Timeout(2 * time.Second),
	}
}

func (f *Fanin) setHandlers() {
	logger := f.options.Logger
	f.nc.SetDisconnectErrHandler(func(_ *nats.Conn, err error) {
		logger.Warn("NATS is away, events come by polling", slog.Any("error", err))
	})
	f.nc.SetReconnectHandler(func(nc *nats.Conn) {
		logger.Info("NATS is back", slog.String("server", nc.ConnectedUrlRedacted()))
	})
	f.nc.SetErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
		if errors.Is(err, nats.ErrSlowConsumer) {
			return // the lane sees it itself, and reports it once instead of once per subject
		}
		name := ""
		if sub != nil {
			name = sub.Subject
		}
		logger.Error("NATS refused something: check this gateway's NATS permissions",
			slog.String("subject", name), slog.Any("error", err))
	})
}

func (f *Fanin) clearHandlers() {
	f.nc.SetDisconnectErrHandler(nil)
	f.nc.SetReconnectHandler(nil)
	f.nc.SetErrorHandler(nil)
}

// watch has the hub resync when the connection breaks (what was on its way is lost), while it is away again and again
// (the poll that keeps chats going), and when it stands, for the first time or again.
func (f *Fanin) watch(ctx context.Context, hub Hub) {
	ticker := time.NewTicker(f.options.Poll)
	defer ticker.Stop()
	for {
		select {
		case status := <-f.status:
			if status == nats.CONNECTED {
				f.awaitInterests(ctx)
			}
			hub.Resync()
		case <-ticker.C:
			if !f.nc.IsConnected() {
				hub.Resync()
			}
		case <-ctx.Done():
			return
		}
	}
}

// awaitInterests waits until the server knows the interests again: an event that is published before that, and after
// the heads were read, would be missed. If the connection breaks again meanwhile, its return brings us back here.
func (f *Fanin) awaitInterests(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, f.options.Timeout)
	defer cancel()
	if err := f.flusher.flush(ctx); err != nil {
		f.options.Logger.Warn("NATS does not answer on a new connection", slog.Any("error", err))
	}
}

// overflow returns what a lane calls when it may have lost messages.
func (f *Fanin) overflow(hub Hub) func() {
	return func() {
		f.options.Logger.Warn("more arrives from NATS than this node takes, lost events are read from the chat service")
		hub.Resync()
	}
}
