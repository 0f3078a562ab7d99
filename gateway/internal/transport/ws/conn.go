package ws

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/fliliy/chat/gateway/internal/transport"
)

// Conn is one WebSocket connection; it implements session.Conn. One goroutine at a time reads, one at a time writes;
// Close may be called by any.
type Conn struct {
	ws     *websocket.Conn
	socket *socket
	opts   connOptions

	in   inbound  // used by Read alone
	life liveness // pings and their answers

	mu        sync.Mutex
	cause     error // why the connection has ended; the first one stays
	stopWatch func() bool
}

// connOptions are what a connection needs of Options.
type connOptions struct {
	maxMessage                        int
	pingEvery, pongWait, writeTimeout time.Duration
}

func newConn(opts Options) *Conn {
	return &Conn{opts: connOptions{opts.MaxMessage, opts.PingEvery, opts.PongWait, opts.WriteTimeout}}
}

// start is called once, before the Conn is handed out.
func (c *Conn) start(ws *websocket.Conn, s *socket) {
	c.ws, c.socket = ws, s
	c.startPings()
}

// Close sends the close code and reason, waits up to a second for the peer's answer, and ends Read and Write, which
// return a *transport.ClosedError from now on. Messages that Write has not handed to the kernel may be lost. A reason
// that is too long or no UTF-8 is mended. It returns an error when the close frame could not be sent. When the
// connection has ended already, it does nothing.
func (c *Conn) Close(code transport.CloseCode, reason string) error {
	reason = transport.MendReason(reason)
	if !c.end(&transport.ClosedError{Code: code, Reason: reason}) {
		return nil
	}
	return c.handshakeClose(code, reason)
}

// handshakeClose runs the closing handshake (RFC 6455 section 7.1.2) and cuts it short after closeTimeout.
func (c *Conn) handshakeClose(code transport.CloseCode, reason string) error {
	cut := time.AfterFunc(closeTimeout, func() { _ = c.socket.Close() })
	defer cut.Stop()
	// Its error tells how the peer answered, which changes nothing; the socket knows whether we could write.
	_ = c.ws.Close(websocket.StatusCode(code), reason)
	if err := c.socket.unwritable(); err != nil {
		return fmt.Errorf("send the close frame: %w", err)
	}
	return nil
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
	_ = c.socket.Close() // first, for it wakes whoever CloseNow waits for
	_ = c.ws.CloseNow()
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
