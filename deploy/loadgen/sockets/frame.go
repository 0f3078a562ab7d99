package sockets

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// Opcodes of RFC 6455 section 5.2.
const (
	opContinue = 0
	opText     = 1
	opBinary   = 2
	opClose    = 8
	opPing     = 9
	opPong     = 10
)

// The handshake's key and the answer to it; a server that knows the protocol can answer any key (section 1.3).
const (
	key    = "dGhlIHNhbXBsZSBub25jZQ=="
	accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

func appendRequest(dst []byte, to netip.AddrPort, path string) []byte {
	return fmt.Appendf(dst, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: v12.stomp\r\n\r\n", path, to, key)
}

// handshake reads the answer to the request; it returns what follows it.
func (l *Loop) handshake(c *Conn, data []byte) (rest []byte, err error) {
	head, rest, whole := bytes.Cut(data, []byte("\r\n\r\n"))
	if !whole {
		return data, nil
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) || !bytes.Contains(head, []byte(accept)) {
		line, _, _ := bytes.Cut(head, []byte("\r\n"))
		return nil, fmt.Errorf("the server refuses the WebSocket: %.100s: %.200s", line, rest)
	}
	c.open = true
	l.handler.Opened(c)
	return rest, nil
}

// CloseError is a close frame of the server.
type CloseError struct {
	Code   int // 1005 where it had none
	Reason string
}

func (e *CloseError) Error() string {
	return fmt.Sprintf("the server closed with %d %s", e.Code, e.Reason)
}

var (
	errMasked  = errors.New("the server sent a masked frame")
	errOpcode  = errors.New("the server sent a frame of an unknown kind")
	errOutside = errors.New("the server sent a continuation of nothing")
)

// messages hands out the frames in data and returns what is left: the beginning of a frame.
func (l *Loop) messages(c *Conn, data []byte) (rest []byte, err error) {
	for c.fd >= 0 {
		first, payload, after, err := cut(data)
		if err != nil || payload == nil {
			return data, err
		}
		if err := l.frame(c, first, payload); err != nil {
			return nil, err
		}
		data = after
	}
	return nil, nil
}

// cut takes a frame off; payload is nil where it has not come whole.
func cut(data []byte) (first byte, payload, rest []byte, err error) {
	if len(data) < 2 {
		return 0, nil, data, nil
	}
	size, head := int(data[1]), 2
	switch {
	case size&0x80 != 0:
		return 0, nil, nil, errMasked
	case size == 126 && len(data) >= 4:
		size, head = int(binary.BigEndian.Uint16(data[2:])), 4
	case size == 127 && len(data) >= 10:
		long := binary.BigEndian.Uint64(data[2:])
		if long > readBuffer {
			return 0, nil, nil, errTooLong
		}
		size, head = int(long), 10
	case size > 125:
		return 0, nil, data, nil
	}
	if len(data) < head+size {
		return 0, nil, data, nil
	}
	return data[0], data[head : head+size : head+size], data[head+size:], nil
}

// frame handles one whole frame.
func (l *Loop) frame(c *Conn, first byte, payload []byte) error {
	final := first&0x80 != 0
	switch op := first & 0x0f; op {
	case opText, opBinary:
		if final {
			l.handler.Message(c, payload)
			return nil
		}
		c.partial = append(make([]byte, 0, 2*len(payload)), payload...) // not nil, even where it is empty
		return nil
	case opContinue:
		return l.fragment(c, payload, final)
	case opPing:
		l.out = appendFrame(l.out[:0], opPong, payload, l.nextKey())
		return l.write(c, l.out)
	case opPong:
		return nil
	case opClose:
		closed := &CloseError{Code: 1005}
		if len(payload) >= 2 {
			closed.Code, closed.Reason = int(binary.BigEndian.Uint16(payload)), string(payload[2:])
		}
		return closed
	}
	return errOpcode
}

func (l *Loop) fragment(c *Conn, payload []byte, final bool) error {
	if c.partial == nil {
		return errOutside
	}
	if len(c.partial)+len(payload) > readBuffer {
		return errTooLong
	}
	c.partial = append(c.partial, payload...)
	if !final {
		return nil
	}
	message := c.partial
	c.partial = nil
	l.handler.Message(c, message)
	return nil
}

// nextKey is a masking key (section 5.3): xorshift is random enough for servers on the same machine.
func (l *Loop) nextKey() uint32 {
	l.key ^= l.key << 13
	l.key ^= l.key >> 7
	l.key ^= l.key << 17
	return uint32(l.key) //nolint:gosec // G115: half of it is wanted
}

// appendFrame appends one masked frame with a whole message in it.
func appendFrame(dst []byte, op byte, payload []byte, mask uint32) []byte {
	dst = append(dst, 0x80|op)
	switch size := len(payload); {
	case size < 126:
		dst = append(dst, 0x80|byte(size))
	case size <= 0xffff:
		dst = append(dst, 0x80|126, byte(size>>8), byte(size)) //nolint:gosec // G115: its two bytes
	default:
		dst = append(dst, 0x80|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(size))
	}
	dst = binary.LittleEndian.AppendUint32(dst, mask)
	start := len(dst)
	dst = append(dst, payload...)
	masked, wide := dst[start:], uint64(mask)<<32|uint64(mask)
	for len(masked) >= 8 {
		binary.LittleEndian.PutUint64(masked, binary.LittleEndian.Uint64(masked)^wide)
		masked = masked[8:]
	}
	for i := range masked {
		masked[i] ^= byte(mask >> (8 * (i % 4))) //nolint:gosec // G115: one byte of it is wanted
	}
	return dst
}
