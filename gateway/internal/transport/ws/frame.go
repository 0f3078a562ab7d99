package ws

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"github.com/fliliy/chat/gateway/internal/transport"
)

// RFC 6455 section 5.2: the first byte of a frame is the FIN bit, three reserved ones, and the opcode.
const (
	fin      = 0x80
	reserved = 0x70
	opcodes  = 0x0f

	opContinue = 0
	opText     = 1
	opBinary   = 2
	opClose    = 8
	opPing     = 9
	opPong     = 10
	opControl  = 8 // the bit that control frames have in common

	masked = 0x80 // in the second byte; the others are the length, or say how long it is
	len16  = 126
	len64  = 127

	maxControl = 125 // bytes of a control frame's payload
	maxHeader  = 14  // bytes of a frame's header
)

// incoming is the frame of the client's that is being read. The zero value waits for a header.
type incoming struct {
	head  [maxHeader]byte
	got   uint8  // bytes of the header so far
	begun bool   // the header is complete
	key   uint32 // of the mask, turned to the next byte of the payload
	left  int    // bytes of the payload still to come; negative where the header is nonsense
}

func (f *incoming) opcode() byte    { return f.head[0] & opcodes }
func (f *incoming) isFinal() bool   { return f.head[0]&fin != 0 }
func (f *incoming) isControl() bool { return f.head[0]&opControl != 0 }

// needs is how many bytes the header has, as far as can be told.
func (f *incoming) needs() uint8 {
	if f.got < 2 {
		return 2
	}
	n := uint8(2)
	switch f.head[1] &^ masked {
	case len16:
		n += 2
	case len64:
		n += 8
	}
	if f.head[1]&masked != 0 {
		n += 4
	}
	return n
}

// readHeader takes bytes of the header, and returns how many.
func (f *incoming) readHeader(p []byte) int {
	taken := 0
	for !f.begun && taken < len(p) {
		n := copy(f.head[f.got:f.needs()], p[taken:])
		taken += n
		f.got += uint8(n) //nolint:gosec // G115: at most maxHeader
		if f.got >= 2 && f.got == f.needs() {
			f.begin()
		}
	}
	return taken
}

// judge says what is wrong with a header (sections 5.1, 5.2, 5.4 and 5.5), as soon as its first two bytes are there.
// open says whether a message is under way.
func (f *incoming) judge(open bool) *transport.ClosedError {
	if f.got < 2 {
		return nil
	}
	switch op := f.opcode(); {
	case f.head[0]&reserved != 0:
		return broken("a reserved bit is set, and no extension was negotiated")
	case f.head[1]&masked == 0:
		return broken("a frame of a client has to be masked")
	case op > opPong || op > opBinary && op < opClose:
		return broken("unknown opcode %d", op)
	case f.isControl() && !f.isFinal():
		return broken("a control frame in fragments")
	case f.isControl() && f.head[1]&^masked > maxControl:
		return broken("a control frame of more than %d bytes", maxControl)
	case op == opContinue && !open:
		return broken("a continuation of nothing")
	case (op == opText || op == opBinary) && open:
		return broken("a message begins within another")
	case f.begun && f.left < 0:
		return broken("the length of a frame has its top bit set")
	}
	return nil
}

// begin reads length and key of a complete header.
func (f *incoming) begin() {
	length := uint64(f.head[1] &^ masked)
	switch length {
	case len16:
		length = uint64(binary.BigEndian.Uint16(f.head[2:]))
	case len64:
		length = binary.BigEndian.Uint64(f.head[2:])
	}
	f.begun, f.left, f.key = true, int(length), 0 //nolint:gosec // G115: judge refuses what is negative
	if f.head[1]&masked != 0 {
		f.key = binary.LittleEndian.Uint32(f.head[f.got-4:])
	}
}

// payload takes bytes of the payload from p and unmasks them in place.
func (f *incoming) payload(p []byte) []byte {
	p = p[:min(len(p), f.left)]
	f.key = unmask(p, f.key)
	f.left -= len(p)
	return p
}

// next makes ready for the next header, once nothing is left of the payload.
func (f *incoming) next() { f.begun, f.got = false, 0 }

// unmask takes a mask off (section 5.3), and returns the key for the byte after p.
func unmask(p []byte, key uint32) uint32 {
	for wide := uint64(key)<<32 | uint64(key); len(p) >= 8; p = p[8:] {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^wide)
	}
	for i := range p {
		p[i] ^= byte(key) //nolint:gosec // G115: its lowest
		key = bits.RotateLeft32(key, -8)
	}
	return key
}

func broken(format string, args ...any) *transport.ClosedError {
	return &transport.ClosedError{Code: transport.CloseProtocol, Reason: fmt.Sprintf(format, args...)}
}

// appendFrame appends a whole frame as a server sends it: not masked.
func appendFrame(dst []byte, opcode byte, payload []byte) []byte {
	switch n := len(payload); {
	case n < len16:
		dst = append(dst, fin|opcode, byte(n))
	case n <= math.MaxUint16:
		dst = append(dst, fin|opcode, len16, byte(n>>8), byte(n)) //nolint:gosec // G115: its two bytes
	default:
		dst = append(dst, fin|opcode, len64)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	return append(dst, payload...)
}
