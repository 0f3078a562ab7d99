package ws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/fliliy/chat/gateway/internal/transport"
)

// chunkSize is the most that Read returns at once: most messages of clients fit.
const chunkSize = 4 << 10

var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// inbound is the state of reading: the message under way, and the chunk lent to the caller.
type inbound struct {
	message io.Reader // nil between messages
	size    int       // bytes of the message so far
	text    bool
	check   utf8Checker
	bad     bool             // the message is text, and no UTF-8
	chunk   *[chunkSize]byte // nil while waiting for a message
	watched <-chan struct{}  // of the context that watch has registered
}

// Read returns the next bytes of the client, at least one and at most 4 KiB, valid until the next call; where one
// message ends and the next begins does not show. It ends with a *transport.ClosedError after a close by either side
// (1005 when the peer gave no code), or with what else broke the connection. A text message that is no UTF-8 closes
// with 1007, one above MaxMessage with 1009, a broken frame with 1002. When the context is done, the connection ends.
func (c *Conn) Read(ctx context.Context) ([]byte, error) {
	for {
		if p, err := c.nextPart(ctx); err != nil || len(p) > 0 {
			return p, err
		}
	}
}

// ReadMessage is Read for protocols that need to know where a message ends: it appends the next message to dst, whole;
// empty ones are passed over. One above limit bytes closes with 1009, before more of it is kept. A connection is read by
// one or the other, not both.
func (c *Conn) ReadMessage(ctx context.Context, dst []byte, limit int) ([]byte, error) {
	for start := len(dst); ; {
		message, _, err := c.receiveWhole(ctx, dst, limit)
		if err != nil || len(message) > start {
			return message, err
		}
	}
}

// Receive is ReadMessage for those to whom empty messages matter, too, and whether a message is text.
func (c *Conn) Receive(ctx context.Context, dst []byte) (message []byte, text bool, err error) {
	return c.receiveWhole(ctx, dst, c.opts.maxMessage)
}

func (c *Conn) receiveWhole(ctx context.Context, dst []byte, limit int) (message []byte, text bool, err error) {
	for start := len(dst); ; {
		p, err := c.nextPart(ctx)
		if err != nil {
			return nil, false, err
		}
		if len(dst)-start+len(p) > limit {
			return nil, false, c.refuse(tooLarge(limit))
		}
		dst = append(dst, p...)
		if c.in.message == nil {
			return dst, c.in.text, nil
		}
	}
}

// nextPart returns the next bytes of a message, or none where one has ended.
func (c *Conn) nextPart(ctx context.Context) ([]byte, error) {
	c.in.release()
	if err := c.watch(ctx); err != nil {
		c.cut(err)
		return nil, c.ended()
	}
	c.life.reading.Store(true)
	defer c.life.reading.Store(false)
	p, err := c.receive() //nolint:contextcheck // watch heeds it, at no cost per frame
	if err != nil {
		return nil, c.readFailed(err)
	}
	if fault := c.in.fault(c.opts.maxMessage); fault != nil {
		return nil, c.refuse(fault)
	}
	return p, nil
}

// receive waits for bytes of a message; none means that an empty one has ended, or an earlier one.
func (c *Conn) receive() ([]byte, error) {
	if c.in.message == nil {
		kind, message, err := c.ws.Reader(context.Background())
		if err != nil {
			return nil, err
		}
		c.in.begin(message, kind == websocket.MessageText)
	}
	p, err := c.in.next()
	if err != nil {
		return nil, err
	}
	// coder/websocket lets the end of the connection within a message pass for the end of the message, and lets
	// messages through that come after our close frame.
	if err := c.socket.broken(); err != nil {
		return nil, err
	}
	return p, c.ended()
}

func (in *inbound) begin(message io.Reader, text bool) {
	in.message, in.text, in.size, in.check, in.bad = message, text, 0, utf8Checker{}, false
}

// next fills the chunk from the message, until it is full, the message ends, or is no UTF-8: that shows at once, although
// more of it may be long in coming.
func (in *inbound) next() ([]byte, error) {
	if in.chunk == nil {
		in.chunk = chunks.Get().(*[chunkSize]byte)
	}
	n := 0
	for n < chunkSize {
		got, err := in.message.Read(in.chunk[n:])
		n += got
		if in.text && !in.check.add(in.chunk[n-got:n]) {
			in.bad = true
			break
		}
		if err == io.EOF { //nolint:errorlint // the bare one is the end of a message
			in.message = nil
			break
		}
		if err != nil {
			return nil, err
		}
	}
	in.size += n
	return in.chunk[:n], nil
}

func (in *inbound) release() {
	if in.chunk != nil {
		chunks.Put(in.chunk)
		in.chunk = nil
	}
}

// fault judges the newest bytes of a message.
func (in *inbound) fault(limit int) *transport.ClosedError {
	if in.size > limit {
		return tooLarge(limit)
	}
	if !in.text {
		return nil
	}
	if in.bad || in.message == nil && !in.check.complete() {
		return &transport.ClosedError{Code: transport.CloseInvalidUTF8, Reason: "text message is not UTF-8"}
	}
	return nil
}

func tooLarge(limit int) *transport.ClosedError {
	return &transport.ClosedError{Code: transport.CloseTooLarge, Reason: fmt.Sprintf("message above %d bytes", limit)}
}

// refuse closes because of what the peer sent.
func (c *Conn) refuse(fault *transport.ClosedError) error {
	c.in.release()
	_ = c.Close(fault.Code, fault.Reason) // what matters is that it is over
	return c.ended()
}

// readFailed finds out what an error of coder/websocket means, and ends the connection accordingly.
func (c *Conn) readFailed(err error) error {
	c.in.release()
	if cause := c.ended(); cause != nil {
		return cause
	}
	var closed websocket.CloseError
	if errors.As(err, &closed) {
		c.cut(closedByPeer(closed))
		return c.ended()
	}
	if broken := c.socket.broken(); broken != nil {
		c.cut(fmt.Errorf("read from the client: %w", broken))
		return c.ended()
	}
	// What is left is a frame that breaks the protocol. coder/websocket has sent 1002 for most, but not for all.
	return c.refuse(&transport.ClosedError{Code: transport.CloseProtocol, Reason: "WebSocket protocol error"})
}

func closedByPeer(e websocket.CloseError) *transport.ClosedError {
	if !utf8.ValidString(e.Reason) { // the socket has answered so
		return &transport.ClosedError{Code: transport.CloseInvalidUTF8, Reason: "close reason is not UTF-8"}
	}
	return &transport.ClosedError{Code: transport.CloseCode(e.Code), Reason: e.Reason} //nolint:gosec // 16 bits on the wire
}
