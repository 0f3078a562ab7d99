package gateway

import "sync"

// crowd counts the sessions of this gateway, so that a stop can wait for the last of them.
type crowd struct {
	mu     sync.Mutex
	inside int
	closed bool
	gone   chan struct{} // closed once the crowd is closed and nobody is inside
}

func newCrowd() *crowd { return &crowd{gone: make(chan struct{})} }

// enter lets a session in; false once the crowd is closed. Whoever is in leaves once.
func (c *crowd) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.inside++
	return true
}

func (c *crowd) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inside--
	if c.closed && c.inside == 0 {
		close(c.gone)
	}
}

// close lets nobody in any more. It is called once.
func (c *crowd) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.inside == 0 {
		close(c.gone)
	}
}

func (c *crowd) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// size is how many are inside.
func (c *crowd) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inside
}
