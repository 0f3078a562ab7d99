package ws

import (
	"encoding/binary"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/fliliy/chat/gateway/internal/metrics"
	"github.com/fliliy/chat/gateway/internal/transport"
)

// What a peer may still send while its connection is being closed: enough for an honest one to see why, and too little for
// another to keep us reading.
const (
	lingerBytes  = 1 << 20
	lingerFrames = 1000
)

// noCode is what a close frame without a code means, and is never sent (RFC 6455 section 7.4.1).
const noCode transport.CloseCode = 1005

// parseClose reads the payload of a close frame (sections 5.5.1 and 7.4); the fault is what this side closes with.
func parseClose(payload []byte) (said, fault *transport.ClosedError) {
	if len(payload) == 0 {
		return &transport.ClosedError{Code: noCode}, nil
	}
	if len(payload) == 1 {
		return nil, broken("a close frame with half a code")
	}
	code, reason := binary.BigEndian.Uint16(payload), payload[2:]
	switch {
	case !isSendable(code):
		return nil, broken("a close frame with code %d", code)
	case !utf8.Valid(reason):
		return nil, &transport.ClosedError{Code: transport.CloseInvalidUTF8, Reason: "close reason is not UTF-8"}
	}
	return &transport.ClosedError{Code: transport.CloseCode(code), Reason: string(reason)}, nil
}

// isSendable says whether a code may stand in a close frame: those that are registered for it, and what is left to
// libraries and applications.
func isSendable(code uint16) bool {
	switch {
	case code >= 3000 && code < 5000:
		return true
	case code >= 1000 && code <= 1014:
		return code < 1004 || code > 1006
	}
	return false
}

// Close sends the close code and reason, waits up to a second for the peer's answer, and ends Read and Write, which
// return a *transport.ClosedError from now on. Messages that Write has not handed to the kernel may be lost. A reason
// that is too long or no UTF-8 is mended. It returns an error when the close frame could not be sent. When the
// connection has ended already, it does nothing.
func (c *Conn) Close(code transport.CloseCode, reason string) error {
	how := &transport.ClosedError{Code: code, Reason: transport.MendReason(reason)}
	if !c.end(how) {
		return nil
	}
	late := c.lateClose()
	defer late.Stop()
	err := c.sendClose(how)
	_ = c.socket.conn.SetReadDeadline(time.Unix(1, 0)) // wakes who is reading; it finds that this is the end
	c.wake()
	c.reading.Lock()
	defer c.reading.Unlock()
	c.in.leaveChunk()
	return c.linger(err)
}

// refuse is Close for the reader, because of what the peer sent. It returns the error that Read ends with.
func (c *Conn) refuse(fault *transport.ClosedError) error {
	if mended := transport.MendReason(fault.Reason); mended != fault.Reason {
		fault = &transport.ClosedError{Code: fault.Code, Reason: mended}
	}
	if c.end(fault) {
		if fault.Code == transport.CloseTooLarge {
			c.opts.limited(metrics.LimitMessage)
		}
		late := c.lateClose()
		defer late.Stop()
		_ = c.linger(c.sendClose(fault)) // what matters is that it is over
	}
	return c.ended()
}

// lateClose cuts the closing short: a peer may take neither our close frame nor its time for an answer.
func (c *Conn) lateClose() *time.Timer { return time.AfterFunc(closeTimeout, c.closeSocket) }

func (c *Conn) sendClose(how *transport.ClosedError) error {
	payload := binary.BigEndian.AppendUint16(make([]byte, 0, maxControl), uint16(how.Code))
	if err := c.socket.control(opClose, append(payload, how.Reason...)); err != nil {
		return fmt.Errorf("send the close frame: %w", err)
	}
	return nil
}

// linger waits for the peer's close frame (section 7.1.2), unless ours could not be sent, and closes the socket. The
// caller holds reading.
func (c *Conn) linger(sent error) error {
	if sent == nil {
		_ = c.socket.conn.SetReadDeadline(time.Now().Add(closeTimeout))
		left := lingerBytes
		c.awaitClose(&left)
		c.drain(&left)
	}
	c.in.release()
	c.closeSocket()
	return sent
}

// pass reads past bytes, of so many that are left; it says whether there may be more.
func (c *Conn) pass(left *int) bool {
	if *left <= 0 {
		return false
	}
	_, err := c.fill(true)
	*left -= c.in.end
	return err == nil
}

// awaitClose reads past what still comes, right or wrong, up to a close frame or the end of the connection.
func (c *Conn) awaitClose(left *int) {
	in := &c.in
	for frames := 0; frames < lingerFrames; {
		if in.start == in.end && !c.pass(left) {
			return
		}
		in.start += in.frame.readHeader(in.unread())
		if !in.frame.begun {
			continue
		}
		if in.frame.left < 0 || in.frame.opcode() == opClose {
			return
		}
		in.start += len(in.frame.payload(in.unread()))
		if in.frame.left == 0 {
			in.frame.next()
			frames++
		}
	}
}

// answerClose ends the connection as the peer wants it: its close frame is sent back.
func (c *Conn) answerClose(payload []byte) error {
	said, fault := parseClose(payload)
	if fault != nil {
		payload = binary.BigEndian.AppendUint16(nil, uint16(fault.Code))
		said = fault
	}
	if c.end(said) {
		late := c.lateClose()
		if c.socket.control(opClose, payload) == nil { // else the peer is gone already
			_ = c.socket.conn.SetReadDeadline(time.Now().Add(closeTimeout))
			left := lingerBytes
			c.drain(&left)
		}
		late.Stop()
		c.closeSocket()
	}
	return c.ended()
}

// drain ends this side of the connection and reads past what the peer has sent besides, until it ends its side, too: a
// socket that is closed with input nobody has read is reset, and the reset can overtake our close frame (section 7.1.1).
func (c *Conn) drain(left *int) {
	half, ok := c.socket.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	for c.pass(left) {
		continue
	}
}
