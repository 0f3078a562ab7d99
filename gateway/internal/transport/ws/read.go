package ws

import (
	"context"
	"fmt"
	"sync"

	"github.com/fliliy/chat/gateway/internal/transport"
)

// chunkSize is the most that Read returns at once: most messages of clients fit.
const chunkSize = 4 << 10

var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// inbound is the state of reading: the frame and the message under way, and the chunk that holds what has come. There
// is no chunk while nothing has.
type inbound struct {
	frame      incoming
	open       bool // a message is under way
	text       bool // the message is
	size       int  // bytes of the message so far
	check      utf8Checker
	chunk      *[chunkSize]byte
	start, end int    // of what has not been looked at, in chunk
	control    []byte // payload of a control frame, where it came in pieces
	watched    <-chan struct{}
}

func (in *inbound) unread() []byte {
	if in.chunk == nil {
		return nil
	}
	return in.chunk[in.start:in.end]
}

// leaveChunk leaves the chunk to who has read last, and may still look at it: what has not been looked at goes on in another.
func (in *inbound) leaveChunk() {
	if in.chunk != nil {
		own := *in.chunk
		in.chunk = &own
	}
}

func (in *inbound) release() {
	if in.chunk != nil {
		chunks.Put(in.chunk)
		in.chunk = nil
	}
	in.start, in.end = 0, 0
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

// Poll is Read for who would rather not wait: it returns nothing, and no error, where nothing has come. Told to wait, it
// waits for something to come, and returns nothing where that was of no message. Only use it where CanAwait.
func (c *Conn) Poll(wait bool) ([]byte, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	for {
		p, err := c.part(wait)
		if err != nil || len(p) > 0 {
			return p, err
		}
		if c.in.start == c.in.end {
			c.in.release()
			return nil, nil
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
			c.reading.Lock()
			defer c.reading.Unlock()
			return nil, false, c.refuse(tooLarge(limit))
		}
		dst = append(dst, p...)
		if !c.in.open {
			return dst, c.in.text, nil
		}
	}
}

// nextPart waits for the next bytes of a message; none where an empty one has ended, or an earlier one.
func (c *Conn) nextPart(ctx context.Context) ([]byte, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if err := c.watch(ctx); err != nil {
		c.cut(err)
		return nil, c.ended()
	}
	for {
		p, err := c.part(true) //nolint:contextcheck // watch heeds it, at no cost per frame
		if err != nil || len(p) > 0 || c.in.hasEnded() {
			return p, err
		}
	}
}

// hasEnded says whether the last frame looked at ended a message.
func (in *inbound) hasEnded() bool { return !in.open && in.frame.got == 0 && !in.frame.isControl() }

// part goes on to the next frame, or fills the chunk if it is empty, and returns what that brought of a message:
// nothing, as often as not. The caller holds reading.
func (c *Conn) part(wait bool) ([]byte, error) {
	if err := c.ended(); err != nil {
		c.in.release()
		return nil, err
	}
	in := &c.in
	if in.start == in.end {
		if came, err := c.fill(wait); err != nil || !came {
			return nil, err
		}
	}
	if !in.frame.begun {
		in.start += in.frame.readHeader(in.unread())
		if fault := in.frame.judge(in.open); fault != nil {
			return nil, c.refuse(fault)
		}
		if !in.frame.begun {
			return nil, nil
		}
		if fault := in.begin(c.opts.maxMessage); fault != nil {
			return nil, c.refuse(fault)
		}
		if in.frame.left < leanSize && !in.frame.isControl() {
			if err := c.countLean(); err != nil {
				return nil, err
			}
		}
	}
	p := in.frame.payload(in.unread())
	in.start += len(p)
	if in.frame.isControl() {
		return nil, c.takeControl(p)
	}
	fault := in.add(p)
	if fault != nil {
		return nil, c.refuse(fault)
	}
	return p, nil
}

// begin is called when a header is complete and right. A message that is too large is refused before more of it comes.
func (in *inbound) begin(limit int) *transport.ClosedError {
	switch in.frame.opcode() {
	case opText, opBinary:
		in.open, in.text, in.size, in.check = true, in.frame.opcode() == opText, 0, utf8Checker{}
	case opContinue:
	default:
		return nil
	}
	if in.frame.left > limit-in.size {
		return tooLarge(limit)
	}
	in.size += in.frame.left
	return nil
}

// add judges bytes of a message. What is no UTF-8 shows at once, although more of it may be long in coming.
func (in *inbound) add(p []byte) *transport.ClosedError {
	ends := in.frame.left == 0 && in.frame.isFinal()
	if in.text && (!in.check.add(p) || ends && !in.check.complete()) {
		return &transport.ClosedError{Code: transport.CloseInvalidUTF8, Reason: "text message is not UTF-8"}
	}
	if in.frame.left == 0 {
		in.open = !ends
		in.frame.next()
	}
	return nil
}

func tooLarge(limit int) *transport.ClosedError {
	return &transport.ClosedError{Code: transport.CloseTooLarge, Reason: fmt.Sprintf("message above %d bytes", limit)}
}

// takeControl takes bytes of a control frame, and heeds it when it is whole.
func (c *Conn) takeControl(p []byte) error {
	in := &c.in
	if in.frame.left > 0 {
		in.control = append(in.control, p...)
		return nil
	}
	if in.control != nil {
		p = append(in.control, p...)
		in.control = nil
	}
	in.frame.next()
	switch in.frame.opcode() {
	case opClose:
		return c.answerClose(p)
	case opPing:
		return c.takePing(p)
	default:
		return c.countControl()
	}
}

// fill waits for bytes of the client, or only looks for them; it says whether some came. The caller holds reading, and
// has looked at all that came before.
func (c *Conn) fill(wait bool) (bool, error) {
	c.in.release()
	c.life.reading.Store(true)
	n, err := c.socket.read(&c.in.chunk, wait)
	c.life.reading.Store(false)
	if err != nil {
		c.in.release()
		if c.ended() == nil { // else somebody closes, and may want to hear the peer's answer
			c.cut(fmt.Errorf("read from the client: %w", err))
		}
		return false, c.ended()
	}
	c.in.start, c.in.end = 0, n
	if n > 0 {
		c.life.seen.Store(true)
	}
	return n > 0, nil
}
