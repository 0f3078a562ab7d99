package ws

import (
	"context"
	"sync"
	"time"

	"github.com/fliliy/chat/gateway/internal/metrics"
)

// Conn is one WebSocket connection; it implements session.Conn. One goroutine at a time reads, one at a time writes;
// Close may be called by any.
type Conn struct {
	socket socket
	opts   *connOptions

	reading sync.Mutex // held while reading: by the reader, and by who closes; taken before mu
	in      inbound    // guarded by reading
	life    liveness   // pings and their answers
	waiting waiting    // for something to read

	mu        sync.Mutex
	cause     error // why the connection has ended; the first one stays
	stopWatch func() bool
}

// connOptions are what connections need of Options; those of one handler share them.
type connOptions struct {
	maxMessage                        int
	pingEvery, pongWait, writeTimeout time.Duration
	panicked                          func(cause any)  // logs it
	metrics                           *metrics.Metrics // may be nil
}

// limited counts a limit that the client broke.
func (o *connOptions) limited(reason string) {
	if o.metrics != nil {
		o.metrics.Limited.Inc(reason)
	}
}

// end records why the connection is over, and says whether this was the first reason.
func (c *Conn) end(cause error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return false
	}
	c.cause = cause
	c.life.timer.Stop()
	if c.stopWatch != nil {
		c.stopWatch()
		c.stopWatch = nil
	}
	return true
}

// ended tells why the connection is over, or nil.
func (c *Conn) ended() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// cut ends the connection without a word to the peer.
func (c *Conn) cut(cause error) {
	c.end(cause)
	c.closeSocket()
	c.wake()
}

// closeSocket closes the socket; more than once does no harm.
func (c *Conn) closeSocket() {
	c.waiting.leave()
	_ = c.socket.conn.Close() // it is over either way
}

// watch cuts the connection when the context is done. It registers once per context and not once per call, so that
// reading costs nothing more.
func (c *Conn) watch(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if ctx.Done() == nil || ctx.Done() == c.in.watched {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return c.cause
	}
	if c.stopWatch != nil {
		c.stopWatch()
	}
	c.in.watched = ctx.Done()
	c.stopWatch = context.AfterFunc(ctx, func() { c.cut(context.Cause(ctx)) })
	return nil
}
