package fanin

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// flusher makes round trips to the NATS server, shared by all who wait: those who come while one is on its way share
// the next.
type flusher struct {
	nc      *nats.Conn
	timeout time.Duration

	mu      sync.Mutex
	running bool
	next    *flight
}

type flight struct {
	done chan struct{}
	err  error // set before done is closed
}

// flush returns when the server has handled everything sent before the call. It returns nil, too, when the connection
// is away or breaks meanwhile: nats.go sends all subscriptions again when it is back, and a resync follows.
func (f *flusher) flush(ctx context.Context) error {
	flight := f.board()
	select {
	case <-flight.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if flight.err == nil || (!f.nc.IsConnected() && !f.nc.IsClosed()) || broke(flight.err, f.nc) {
		return nil
	}
	return flight.err
}

// broke says that a round trip ended because the connection did, and was made anew already.
func broke(err error, nc *nats.Conn) bool {
	return errors.Is(err, nats.ErrConnectionClosed) && !nc.IsClosed()
}

func (f *flusher) board() *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next == nil {
		f.next = &flight{done: make(chan struct{})}
	}
	if !f.running {
		f.running = true
		go f.run()
	}
	return f.next
}

// run makes round trips while somebody waits for one.
func (f *flusher) run() {
	for {
		f.mu.Lock()
		flight := f.next
		f.next = nil
		f.running = flight != nil
		f.mu.Unlock()
		if flight == nil {
			return
		}
		if f.nc.IsConnected() || f.nc.IsClosed() {
			flight.err = f.nc.FlushTimeout(f.timeout)
		}
		close(flight.done)
	}
}
