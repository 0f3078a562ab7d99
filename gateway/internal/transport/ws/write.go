package ws

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// gatherLimit is about how much is handed to the kernel in one call, so that a long queue is not copied whole.
const gatherLimit = 64 << 10

// Write sends each element as one message, gathered into one system call per 64 KiB: as text, or as binary where it is
// no UTF-8. It returns once the kernel has them. It waits for a peer that does not read for WriteTimeout at most, or
// until the context's deadline if that is sooner; then the connection is cut. After a close by either side it fails.
func (c *Conn) Write(ctx context.Context, messages [][]byte) error {
	return c.write(ctx, func(deadline time.Time) error {
		return c.socket.send(messages, manner{deadline: deadline})
	})
}

// Send is Write for one message that is text, or not, by the caller's word. Text has to be UTF-8.
func (c *Conn) Send(ctx context.Context, message []byte, text bool) error {
	return c.write(ctx, func(deadline time.Time) error {
		return c.socket.sendAs(kindOf(text), message, manner{deadline: deadline})
	})
}

// CanYield says whether WriteYielding knows when it has to wait: not where something stands between this end and the
// network.
func (c *Conn) CanYield() bool { return c.socket.raw != nil }

// WriteYielding is Write that calls waits, at least once, before it waits for a peer that does not take at once what is
// sent. Only use it where CanYield.
func (c *Conn) WriteYielding(messages [][]byte, waits func()) error {
	if err := c.ended(); err != nil {
		return err
	}
	return c.written(c.socket.send(messages, manner{time.Now().Add(c.opts.writeTimeout), waits}))
}

func (c *Conn) write(ctx context.Context, send func(deadline time.Time) error) error {
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
	return c.written(send(deadline))
}

// written ends the connection if writing has failed, and returns why it has.
func (c *Conn) written(err error) error {
	if err == nil {
		return nil
	}
	if !errors.Is(err, errClosing) {
		c.cut(fmt.Errorf("write to the client: %w", err))
	}
	if cause := c.ended(); cause != nil {
		return cause
	}
	// A close frame of the peer is being answered: Read tells its code.
	return fmt.Errorf("write to the client: %w", err)
}
