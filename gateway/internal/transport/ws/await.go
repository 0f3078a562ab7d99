package ws

import (
	"sync"
	"sync/atomic"
)

// waiting is a connection's wait for something to read, without a goroutine: the poller calls when it has come.
type waiting struct {
	used atomic.Bool // Await was called once: whoever it calls sees to the end of the connection

	mu    sync.Mutex // taken alone, or before the poller's
	next  func()     // to be called; nil while nobody waits
	place place      // in the poller
	left  bool       // the socket is closed
}

// CanAwait says whether the connection can wait without a goroutine: not where the system cannot, or something stands
// between this end and the network.
func (c *Conn) CanAwait() bool {
	return c.socket.raw != nil && len(c.socket.early) == 0 && polling() != nil
}

// Await returns at once and has next called, once and in a goroutine of its own, when Poll may have something to tell.
// Nobody may read meanwhile; whoever called Await must not touch what next uses. From the first call on, Options.Serve
// may return before the connection has ended, which whoever reads it sees to. Only use it where CanAwait.
func (c *Conn) Await(next func()) {
	c.waiting.used.Store(true)
	c.life.reading.Store(true)
	w := &c.waiting
	w.mu.Lock()
	w.next = next
	now := w.left || c.hasUnread() || polling().arm(c) != nil
	w.mu.Unlock()
	if now || c.ended() != nil {
		c.wake()
	}
}

// hasUnread says whether something is there that has been read from the socket already, or the connection is closing.
func (c *Conn) hasUnread() bool {
	if !c.reading.TryLock() {
		return true // nobody else reads but who closes
	}
	defer c.reading.Unlock()
	return c.in.start < c.in.end
}

// wake calls who waits.
func (c *Conn) wake() {
	w := &c.waiting
	w.mu.Lock()
	next := w.next
	w.next = nil
	w.mu.Unlock()
	if next != nil {
		c.life.reading.Store(false)
		go c.guard(next)
	}
}

// leave gives the place in the poller back, before the socket is closed.
func (w *waiting) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.left {
		w.left = true
		polling().disarm(w.place)
	}
}
