package ws

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// gatherLimit is about how much is handed to the kernel in one call, so that a long queue is not copied whole.
const gatherLimit = 64 << 10

// Write sends each element as one message, gathered into one system call per 64 KiB: as text, or as binary where it is
// no UTF-8. It returns once the kernel has them. It waits for a peer that does not read for WriteTimeout at most, or
// until the context's deadline if that is sooner; then the connection is cut. After a close by either side it fails.
func (c *Conn) Write(ctx context.Context, messages [][]byte) error {
	if err := c.ended(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("write to the client: %w", err)
	}
	deadline := time.Now().Add(c.opts.writeTimeout)
	if sooner, ok := ctx.Deadline(); ok && sooner.Before(deadline) {
		deadline = sooner
	}
	c.socket.gather()
	err := c.frame(messages, deadline) //nolint:contextcheck // its deadline is all that a write heeds
	if flushed := c.socket.flush(deadline); flushed != nil {
		c.cut(fmt.Errorf("write to the client: %w", flushed))
		return c.ended()
	}
	if err == nil {
		return nil
	}
	if cause := c.ended(); cause != nil {
		return cause
	}
	// A close frame of the peer is being answered: Read tells its code.
	return fmt.Errorf("write to the client: %w", err)
}

func (c *Conn) frame(messages [][]byte, deadline time.Time) error {
	for _, message := range messages {
		kind := websocket.MessageText
		if !utf8.Valid(message) {
			kind = websocket.MessageBinary
		}
		if err := c.ws.Write(context.Background(), kind, message); err != nil {
			return err
		}
		if c.socket.unsent() < gatherLimit {
			continue
		}
		if err := c.socket.flush(deadline); err != nil {
			return err
		}
		c.socket.gather()
	}
	return nil
}
