package fake

import (
	"bytes"
	"context"
	"sync"

	"github.com/fliliy/chat/gateway/internal/transport"
)

// Conn is a transport pipe. The session has its Read, Write and Close; the test has the other end.
type Conn struct {
	in     chan []byte
	closed chan struct{}
	chunk  []byte // what the last Read returned

	mu      sync.Mutex
	written [][]byte
	writes  int
	ended   *transport.ClosedError // nil while open
	byPeer  bool
	stalled chan struct{} // not nil: Write waits for it
}

// NewConn makes an open pipe.
func NewConn() *Conn {
	return &Conn{in: make(chan []byte, 1024), closed: make(chan struct{})}
}

// Read implements session.Conn. What it returned before is overwritten, as a transport may do.
func (c *Conn) Read(ctx context.Context) ([]byte, error) {
	for i := range c.chunk {
		c.chunk[i] = 0xFF
	}
	select {
	case c.chunk = <-c.in:
		return c.chunk, nil
	default:
	}
	select {
	case c.chunk = <-c.in:
		return c.chunk, nil
	case <-c.closed:
		return nil, c.closedError()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Write implements session.Conn.
func (c *Conn) Write(ctx context.Context, messages [][]byte) error {
	if err := c.awaitPeer(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil {
		return c.ended
	}
	c.writes++
	for _, message := range messages {
		c.written = append(c.written, bytes.Clone(message))
	}
	return nil
}

func (c *Conn) awaitPeer(ctx context.Context) error {
	c.mu.Lock()
	stalled := c.stalled
	c.mu.Unlock()
	if stalled == nil {
		return nil
	}
	select {
	case <-stalled:
		return nil
	case <-c.closed:
		return c.closedError()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close implements session.Conn.
func (c *Conn) Close(code transport.CloseCode, reason string) error {
	c.end(&transport.ClosedError{Code: code, Reason: reason}, false)
	return nil
}

// HangUp closes the pipe from the client's side.
func (c *Conn) HangUp(code transport.CloseCode) {
	c.end(&transport.ClosedError{Code: code, Reason: "client"}, true)
}

func (c *Conn) end(how *transport.ClosedError, byPeer bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == nil {
		c.ended, c.byPeer = how, byPeer
		close(c.closed)
	}
}

func (c *Conn) closedError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// Send puts one chunk of bytes on the pipe, as the client.
func (c *Conn) Send(chunk []byte) {
	select {
	case c.in <- bytes.Clone(chunk):
	case <-c.closed:
	}
}

// Stall makes the client stop taking bytes: Write waits until Resume or the close.
func (c *Conn) Stall() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stalled = make(chan struct{})
}

// Resume ends a Stall.
func (c *Conn) Resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.stalled)
	c.stalled = nil
}

// Step lets the Write that is stalled through, and stalls the next one.
func (c *Conn) Step() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.stalled)
	c.stalled = make(chan struct{})
}

// Take returns the transport messages that were written since the last Take.
func (c *Conn) Take() [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.written
	c.written = nil
	return taken
}

// Writes is how many calls of Write succeeded.
func (c *Conn) Writes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writes
}

// Closed returns how the server closed the pipe; nil if it is open, or was closed by the client first.
func (c *Conn) Closed() *transport.ClosedError {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byPeer {
		return nil
	}
	return c.ended
}

// Open says whether neither side has closed the pipe.
func (c *Conn) Open() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended == nil
}
