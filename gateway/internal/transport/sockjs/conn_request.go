package sockjs

import (
	"context"
	"time"
)

// busyPatience is how long a request that waits for messages waits for another one to end.
const busyPatience = 100 * time.Millisecond

// dealPatience is how long a request that has brought messages waits until they are dealt with.
const dealPatience = 20 * time.Millisecond

// attach makes a request the one that waits for messages, and returns what wakes it. While another one is, it waits a
// little for that one to end, which the client may have cut off or seen the end of just before; then it fails. A session
// that is over tells everybody.
func (c *Conn) attach(ctx context.Context) (wake chan struct{}, ok bool) {
	if wake = c.tryAttach(); wake != nil {
		return wake, true
	}
	patience := time.NewTimer(busyPatience)
	defer patience.Stop()
	for wake == nil {
		select {
		case <-c.left:
		case <-c.done:
		case <-patience.C:
			return nil, false
		case <-ctx.Done():
			return nil, false
		}
		wake = c.tryAttach()
	}
	return wake, true
}

// tryAttach returns nil while another request waits for messages.
func (c *Conn) tryAttach() chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.cause != nil:
		return make(chan struct{})
	case c.receiver != nil:
		return nil
	}
	c.receiver = make(chan struct{}, 1)
	c.away.Stop()
	return c.receiver
}

// detach ends what attach began.
func (c *Conn) detach(wake chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.receiver != wake {
		return
	}
	c.receiver = nil
	signal(c.left)
	if c.cause == nil {
		c.startAway()
	}
}

// take appends the next frame for the client to dst; nothing when there is none. last: no other one follows.
func (c *Conn) take(dst []byte) (frame []byte, last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.opened:
		c.opened = true
		return append(dst, frameOpen...), false
	case len(c.outbox) > 0:
		dst = appendFrame(dst, c.outbox)
		if c.outbox = c.outbox[:0]; cap(c.outbox) > keptOutbox {
			c.outbox = nil
		}
		signal(c.room)
		return dst, false
	case c.cause != nil:
		return append(dst, c.farewell...), true
	}
	return dst, false
}

// deliver hands messages of the client to Read, all or none. It waits while much is unread; then a little until they are
// dealt with, so that answers given at once go with the next request for messages. The messages are the session's from
// now on.
func (c *Conn) deliver(ctx context.Context, messages [][]byte) error {
	for {
		if ok, err := c.push(messages); ok {
			break
		} else if err != nil {
			return err
		}
		select {
		case <-c.read:
		case <-c.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	patience := time.NewTimer(dealPatience)
	defer patience.Stop()
	for !c.isIdle() {
		select {
		case <-c.read:
		case <-patience.C:
			return nil
		case <-c.done:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

func (c *Conn) push(messages [][]byte) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return false, c.cause
	}
	if c.inboxSize > c.tuning.MaxMessage {
		return false, nil
	}
	for _, message := range messages {
		c.inboxSize += len(message)
	}
	c.inbox = append(c.inbox, messages...)
	c.idle = c.idle && len(messages) == 0
	signal(c.arrived)
	return true, nil
}

func (c *Conn) isIdle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.idle
}

func (c *Conn) isHeard() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard
}
