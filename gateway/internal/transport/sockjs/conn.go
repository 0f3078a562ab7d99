package sockjs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/fliliy/chat/gateway/internal/transport"
)

// What ends a session without a close by either side.
var (
	errAway        = errors.New("the client has stopped asking for messages")
	errInterrupted = errors.New("a request of the client was cut off")
)

// outboxLimit is about how much waits in a session for the client's next request; Write waits then.
const outboxLimit = 64 << 10

// keptOutbox is the largest buffer that an idle session keeps.
const keptOutbox = 512

// Conn is one session over HTTP requests; it implements session.Conn. One goroutine at a time reads, one at a time
// writes; Close may be called by any. The requests of the client meet it through attach, take and deliver.
type Conn struct {
	handshake transport.Handshake
	binding   binding // of the request that opened it
	tuning    Tuning
	forget    func() // drops the session from where it can be found; nil once it is called

	sending chan struct{} // held by the one request that delivers
	arrived chan struct{} // something for Read has come; of capacity 1, as the next three
	room    chan struct{} // there is room for Write
	read    chan struct{} // Read has taken something, or waits
	left    chan struct{} // a request no longer waits for messages
	done    chan struct{} // closed with cause

	mu        sync.Mutex
	inbox     [][]byte // from the client, not read yet
	inboxSize int
	idle      bool          // Read waits, what it has returned is dealt with
	outbox    []byte        // JSON strings for the client with commas between, not taken yet
	opened    bool          // the open frame was taken
	heard     bool          // the server has said something
	cause     error         // why the session is over; nil while it is not
	farewell  []byte        // the close frame, repeated to whoever asks
	receiver  chan struct{} // wakes the request that waits for messages; nil without one
	awaySince time.Time
	away      *time.Timer // ends the session of a client that stays away
	stopWatch func() bool
	watched   <-chan struct{}
}

func newConn(h transport.Handshake, b binding, tuning Tuning, forget func()) *Conn {
	c := &Conn{
		handshake: h, binding: b, tuning: tuning, forget: forget,
		sending: make(chan struct{}, 1), arrived: make(chan struct{}, 1), room: make(chan struct{}, 1),
		read: make(chan struct{}, 1), left: make(chan struct{}, 1), done: make(chan struct{}),
	}
	c.awaySince = time.Now()
	c.away = time.AfterFunc(tuning.DisconnectDelay, c.expire)
	return c
}

// Read returns the next message of the client, valid until the next call. It ends with a *transport.ClosedError after
// Close, else with what ended the session. When the context is done, the session ends.
func (c *Conn) Read(ctx context.Context) ([]byte, error) {
	if err := c.watch(ctx); err != nil {
		return nil, err
	}
	for {
		message, err := c.pop()
		if message != nil || err != nil {
			return message, err
		}
		select {
		case <-c.arrived:
		case <-c.done:
		}
	}
}

// pop takes the oldest message; none and no error when there is none yet. What the client had sent before it went is
// still read, what it sends to a closed session is not.
func (c *Conn) pop() ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.inbox) == 0 {
		c.idle = true
		signal(c.read)
		return nil, c.cause
	}
	message := c.inbox[0]
	c.inbox = c.inbox[1:]
	c.inboxSize -= len(message)
	if len(c.inbox) == 0 {
		c.inbox = nil
	}
	signal(c.read)
	return message, nil
}

// watch ends the session when the context is done. It registers once per context.
func (c *Conn) watch(ctx context.Context) error {
	if ctx.Err() != nil {
		c.end(context.Cause(ctx), nil)
		return context.Cause(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Done() == nil || ctx.Done() == c.watched {
		return nil
	}
	if c.stopWatch != nil {
		c.stopWatch()
	}
	c.watched = ctx.Done()
	c.stopWatch = context.AfterFunc(ctx, func() { c.end(context.Cause(ctx), nil) })
	return nil
}

// Write queues messages for the client's next request, or the one that waits; when much is queued, it waits until a
// request has taken it. It does not wait for the network: a session of a client that does not come for messages ends
// after DisconnectDelay.
func (c *Conn) Write(ctx context.Context, messages [][]byte) error {
	if ctx.Err() != nil {
		return fmt.Errorf("write to the client: %w", ctx.Err())
	}
	for {
		n, err := c.queue(messages)
		if messages = messages[n:]; err != nil || len(messages) == 0 {
			return err
		}
		select {
		case <-c.room:
		case <-c.done:
		case <-ctx.Done():
			return fmt.Errorf("write to the client: %w", ctx.Err())
		}
	}
}

// queue queues as many messages as there is room for.
func (c *Conn) queue(messages [][]byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return 0, c.cause
	}
	c.heard = c.heard || len(messages) > 0
	for n < len(messages) && len(c.outbox) < outboxLimit {
		c.outbox = appendMessage(c.outbox, messages[n])
		n++
	}
	c.wake()
	return n, nil
}

// Close ends Read and Write, which return a *transport.ClosedError from now on. The client gets what is queued and the
// close frame with its next request, or the one that waits, if it comes within DisconnectDelay. When the session has
// ended already, it does nothing.
func (c *Conn) Close(code transport.CloseCode, reason string) error {
	reason = transport.MendReason(reason)
	c.end(&transport.ClosedError{Code: code, Reason: reason}, closeFrame(code, reason))
	return nil
}

// end ends the session; the first cause stays. What is known of it is kept for DisconnectDelay, to tell the client.
// Without a farewell it hears what clients hear when a request broke.
func (c *Conn) end(cause error, farewell []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return
	}
	c.cause, c.farewell = cause, farewell
	if farewell == nil {
		c.farewell = closeFrame(transport.CloseProtocol, "Connection interrupted")
		c.outbox = nil
	} else {
		c.inbox, c.inboxSize = nil, 0
	}
	if c.stopWatch != nil {
		c.stopWatch()
	}
	close(c.done)
	c.wake()
	c.startAway()
}

// interrupt ends the session because one of its requests was cut off: what the answer held may be lost.
func (c *Conn) interrupt() { c.end(errInterrupted, nil) }

// expire ends the session of a client that has stayed away, and forgets what has ended.
func (c *Conn) expire() {
	if c.isAway() {
		c.end(errAway, nil)
		c.forgetOnce()
	}
}

// isAway says whether the client's time is up. A timer that fired while a request came has come too late.
func (c *Conn) isAway() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.receiver != nil && c.cause == nil {
		return false
	}
	return time.Since(c.awaySince) >= c.tuning.DisconnectDelay
}

func (c *Conn) forgetOnce() {
	c.mu.Lock()
	c.away.Stop()
	forget := c.forget
	c.forget, c.outbox = nil, nil
	c.mu.Unlock()
	if forget != nil {
		forget()
	}
}

// startAway gives the client DisconnectDelay from now on. Call it under mu.
func (c *Conn) startAway() {
	c.awaySince = time.Now()
	c.away.Reset(c.tuning.DisconnectDelay)
}

// wake wakes the request that waits for messages. Call it under mu.
func (c *Conn) wake() {
	if c.receiver != nil {
		signal(c.receiver)
	}
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
