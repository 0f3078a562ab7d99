package ws

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/fliliy/chat/gateway/internal/transport"
)

const (
	fin      = 0x80 // RFC 6455 section 5.2, as the opcodes
	opText   = 1
	opBinary = 2
	opClose  = 8

	maxKept = 128 << 10 // larger buffers are not kept for others
	backlog = 4 << 10   // unsent bytes from which on pings get no answer

	// deadlineSlack is the part of the timeout by which a write may time out too soon: setting a deadline costs as much
	// as framing two messages, and is left out where the last one is hardly older.
	deadlineSlack = 16
)

// errClosing answers messages that come behind a close frame (section 5.5.1).
var errClosing = errors.New("the closing handshake has begun")

// outBuffers are taken while something is to be written, so that an idle connection holds none.
var outBuffers = sync.Pool{New: func() any { return new([]byte) }}

// badReason is the close frame that answers one whose reason is no UTF-8.
var badReason = binary.BigEndian.AppendUint16([]byte{fin | opClose, 2}, uint16(transport.CloseInvalidUTF8))

// socket sits between coder/websocket, which writes control frames through it, and the network. It frames messages
// itself and hands many to the kernel in one call; while one goroutine is in that call, others only add, so that no
// control frame ever waits for a slow peer. Reading goes straight through.
type socket struct {
	net.Conn
	early   []byte // what net/http had read beyond the handshake; read first
	timeout time.Duration

	mu       sync.Mutex // held for memory only, never during input or output
	quiet    *sync.Cond // flushing has become false
	out      *[]byte    // not yet written; nil when nothing is
	deadline time.Time  // of writing, as it was set last; belongs to who is flushing
	flushing bool
	closing  bool  // a close frame has been added
	readErr  error // why nothing can be read any more
	writeErr error // why nothing can be written any more
}

func newSocket(conn net.Conn, early []byte, timeout time.Duration) *socket {
	s := &socket{Conn: conn, early: bytes.Clone(early), timeout: timeout}
	s.quiet = sync.NewCond(&s.mu)
	return s
}

// Read implements io.Reader.
func (s *socket) Read(p []byte) (int, error) {
	if len(s.early) > 0 {
		n := copy(p, s.early)
		s.early = s.early[n:]
		if len(s.early) == 0 {
			s.early = nil
		}
		return n, nil
	}
	n, err := s.Conn.Read(p)
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.readErr = err
	}
	return n, err
}

// Write takes a control frame of coder/websocket's: always a whole one, in one piece.
func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeErr != nil {
		return 0, s.writeErr
	}
	s.addControl(p)
	if s.flushing {
		return len(p), nil
	}
	return len(p), s.flushLocked(time.Now().Add(s.timeout))
}

// send writes messages, many in one call, and returns when the kernel has them.
func (s *socket) send(messages [][]byte, deadline time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(messages) > 0 {
		if err := s.awaitTurn(); err != nil {
			return err
		}
		taken := 0
		for taken < len(messages) && (s.out == nil || len(*s.out) < gatherLimit) {
			s.addMessage(kindOf(utf8.Valid(messages[taken])), messages[taken])
			taken++
		}
		messages = messages[taken:]
		if err := s.flushLocked(deadline); err != nil {
			return err
		}
	}
	return nil
}

// sendAs writes one message of a kind, and returns when the kernel has it.
func (s *socket) sendAs(kind byte, message []byte, deadline time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.awaitTurn(); err != nil {
		return err
	}
	s.addMessage(kind, message)
	return s.flushLocked(deadline)
}

// awaitTurn waits until nobody writes, and says why no message can be written any more. Call it under mu.
func (s *socket) awaitTurn() error {
	for s.flushing {
		s.quiet.Wait()
	}
	switch {
	case s.writeErr != nil:
		return s.writeErr
	case s.closing:
		return errClosing
	}
	return nil
}

// backedUp says whether so much waits behind a write call under way that the peer seems not to read.
func (s *socket) backedUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flushing && s.out != nil && len(*s.out) > backlog
}

// broken tells why nothing can be read or written any more, or nil. What was buffered before has been read by then.
func (s *socket) broken() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeErr != nil {
		return s.writeErr
	}
	return s.readErr
}

// unwritable tells why nothing can be written any more, or nil.
func (s *socket) unwritable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writeErr
}

// flushLocked writes until nothing is left, letting the lock go during the calls.
func (s *socket) flushLocked(deadline time.Time) error {
	s.flushing = true
	for s.out != nil && s.writeErr == nil {
		out := s.out
		s.out = nil
		s.mu.Unlock()
		err := s.push(*out, deadline)
		if cap(*out) <= maxKept {
			*out = (*out)[:0]
			outBuffers.Put(out)
		}
		s.mu.Lock()
		s.writeErr = err
	}
	s.flushing = false
	s.quiet.Broadcast()
	return s.writeErr
}

// push makes the call. It is for whoever is flushing.
func (s *socket) push(p []byte, deadline time.Time) error {
	if !s.timely(deadline) {
		if err := s.SetWriteDeadline(deadline); err != nil {
			return fmt.Errorf("set the write deadline: %w", err)
		}
		s.deadline = deadline
	}
	_, err := s.Conn.Write(p)
	return err
}

// timely says whether the deadline that is set will do for another one: hardly sooner, never later, and far away.
func (s *socket) timely(deadline time.Time) bool {
	later := deadline.Sub(s.deadline)
	return later >= 0 && later < s.timeout/deadlineSlack && time.Until(s.deadline) > s.timeout/2
}

// addControl keeps a control frame. coder/websocket answers a close frame with its own words, whatever they are: where
// the reason is no UTF-8, the answer becomes 1007 (RFC 6455 section 8.1).
func (s *socket) addControl(p []byte) {
	if p[0]&0x0f == opClose {
		s.closing = true
		if len(p) > 4 && !utf8.Valid(p[4:]) {
			p = badReason
		}
	}
	out := s.buffer()
	*out = append(*out, p...)
}

// kindOf is the opcode of a message.
func kindOf(text bool) byte {
	if text {
		return opText
	}
	return opBinary
}

// addMessage keeps a message in one frame (RFC 6455 section 5.2).
func (s *socket) addMessage(kind byte, message []byte) {
	first := fin | kind
	out := s.buffer()
	switch n := len(message); {
	case n < 126:
		*out = append(*out, first, byte(n))
	case n <= math.MaxUint16:
		*out = append(*out, first, 126, byte(n>>8), byte(n)) //nolint:gosec // G115: its two bytes
	default:
		*out = append(*out, first, 127)
		*out = binary.BigEndian.AppendUint64(*out, uint64(n))
	}
	*out = append(*out, message...)
}

func (s *socket) buffer() *[]byte {
	if s.out == nil {
		s.out = outBuffers.Get().(*[]byte)
	}
	return s.out
}
