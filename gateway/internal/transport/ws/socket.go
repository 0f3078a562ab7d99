package ws

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/fliliy/chat/gateway/internal/transport"
)

const (
	opClose = 8 // RFC 6455 section 5.2

	maxKept = 128 << 10 // larger buffers are not kept for others
	backlog = 4 << 10   // unsent bytes from which on pings get no answer
)

// outBuffers are taken while something is to be written, so that an idle connection holds none.
var outBuffers = sync.Pool{New: func() any { return new([]byte) }}

// badReason is the close frame that answers one whose reason is no UTF-8.
var badReason = binary.BigEndian.AppendUint16([]byte{0x80 | opClose, 2}, uint16(transport.CloseInvalidUTF8))

// socket sits between coder/websocket, which writes frame by frame, and the network. Between gather and flush it
// keeps what is written and hands it to the kernel in one call; while one goroutine is in that call, others only add,
// so that no control frame ever waits for a slow peer. Reading goes straight through.
type socket struct {
	net.Conn
	early   []byte // what net/http had read beyond the handshake; read first
	timeout time.Duration

	mu        sync.Mutex // held for memory only, never during input or output
	quiet     *sync.Cond // flushing has become false
	out       *[]byte    // not yet written; nil when nothing is
	left      int        // bytes of the current frame that coder/websocket has still to write
	gathering bool
	flushing  bool
	readErr   error // why nothing can be read any more
	writeErr  error // why nothing can be written any more
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

// Write takes a frame, or a part of one. coder/websocket holds a lock of its own over the parts of a frame.
func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeErr != nil {
		return 0, s.writeErr
	}
	s.add(p)
	if s.gathering || s.flushing {
		return len(p), nil
	}
	return len(p), s.flushLocked(time.Now().Add(s.timeout))
}

// gather makes Write keep frames until flush.
func (s *socket) gather() {
	s.mu.Lock()
	s.gathering = true
	s.mu.Unlock()
}

// flush ends gather, and returns when the kernel has all that was written.
func (s *socket) flush(deadline time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gathering = false
	for s.flushing {
		s.quiet.Wait()
	}
	return s.flushLocked(deadline)
}

// unsent is the number of bytes that wait for a write call.
func (s *socket) unsent() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out == nil {
		return 0
	}
	return len(*s.out)
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

func (s *socket) push(p []byte, deadline time.Time) error {
	if err := s.SetWriteDeadline(deadline); err != nil {
		return fmt.Errorf("set the write deadline: %w", err)
	}
	_, err := s.Conn.Write(p)
	return err
}

// add keeps bytes of a frame. coder/websocket answers a close frame with its own words, whatever they are: where the
// reason is no UTF-8, the answer becomes 1007 (RFC 6455 section 8.1). A control frame always comes in one piece.
func (s *socket) add(p []byte) {
	if s.left == 0 {
		s.left = frameLength(p)
		if p[0]&0x0f == opClose && len(p) > 4 && !utf8.Valid(p[4:]) {
			p, s.left = badReason, len(badReason)
		}
	}
	s.left -= len(p)
	if s.out == nil {
		s.out = outBuffers.Get().(*[]byte)
	}
	*s.out = append(*s.out, p...)
}

// frameLength reads the header of an unmasked frame (RFC 6455 section 5.2): the bytes of the frame with its header.
func frameLength(p []byte) int {
	switch n := int(p[1]); n {
	case 126:
		return 4 + int(binary.BigEndian.Uint16(p[2:]))
	case 127:
		return 10 + int(binary.BigEndian.Uint64(p[2:])) //nolint:gosec // the length of a slice of ours
	default:
		return 2 + n
	}
}
