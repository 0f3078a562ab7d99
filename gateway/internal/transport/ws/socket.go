package ws

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"
)

const (
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

// socket is the network's end of a connection. It frames messages and hands many to the kernel in one call; while one
// goroutine is in that call, others only add, so that no control frame ever waits for a slow peer.
type socket struct {
	conn    net.Conn
	raw     syscall.RawConn // of conn: no buffer while waiting to read, no deadline but while waiting to write; may be nil
	early   []byte          // what net/http had read beyond the handshake; read first
	timeout time.Duration

	mu       sync.Mutex // held for memory only, never during input or output
	quiet    sync.Cond  // on mu: flushing has become false
	out      *[]byte    // not yet written; nil when nothing is
	deadline time.Time  // of writing, as it was set last; belongs to who is flushing
	flushing bool
	closing  bool  // a close frame has been added
	writeErr error // why nothing can be written any more
}

// manner is how to write: until when, and what to call, once, before waiting for the peer, if not nil.
type manner struct {
	deadline time.Time
	waits    func()
}

// init makes a socket of a connection and of what was read from it before.
func (s *socket) init(conn net.Conn, early []byte, timeout time.Duration) {
	s.conn, s.raw, s.timeout = conn, rawOf(conn), timeout
	if len(early) > 0 {
		s.early = bytes.Clone(early)
	}
	s.quiet.L = &s.mu
}

// read reads into a chunk that it takes from the pool, but for the time that it waits. It returns 0 and no error only if
// it is not to wait, and there is nothing.
func (s *socket) read(chunk **[chunkSize]byte, wait bool) (int, error) {
	if len(s.early) > 0 {
		*chunk = chunks.Get().(*[chunkSize]byte)
		n := copy((*chunk)[:], s.early)
		if s.early = s.early[n:]; len(s.early) == 0 {
			s.early = nil
		}
		return n, nil
	}
	if s.raw != nil {
		return readRaw(s.raw, chunk, wait)
	}
	*chunk = chunks.Get().(*[chunkSize]byte)
	return s.conn.Read((*chunk)[:])
}

// control sends a control frame, behind what is being written.
func (s *socket) control(opcode byte, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.writeErr != nil:
		return s.writeErr
	case s.closing:
		return errClosing
	}
	s.closing = opcode == opClose
	out := s.buffer()
	*out = appendFrame(*out, opcode, payload)
	if s.flushing {
		return nil
	}
	return s.flushLocked(manner{deadline: time.Now().Add(s.timeout)})
}

// send writes messages, many in one call, and returns when the kernel has them.
func (s *socket) send(messages [][]byte, how manner) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(messages) > 0 {
		if err := s.awaitTurn(how); err != nil {
			return err
		}
		taken := 0
		for taken < len(messages) && (s.out == nil || len(*s.out) < gatherLimit) {
			s.addMessage(kindOf(utf8.Valid(messages[taken])), messages[taken])
			taken++
		}
		messages = messages[taken:]
		if err := s.flushLocked(how); err != nil {
			return err
		}
	}
	return nil
}

// sendAs writes one message of a kind, and returns when the kernel has it.
func (s *socket) sendAs(kind byte, message []byte, how manner) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.awaitTurn(how); err != nil {
		return err
	}
	s.addMessage(kind, message)
	return s.flushLocked(how)
}

// awaitTurn waits until nobody writes, and says why no message can be written any more. Call it under mu.
func (s *socket) awaitTurn(how manner) error {
	if s.flushing && how.waits != nil {
		s.mu.Unlock()
		how.waits()
		s.mu.Lock()
	}
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

// flushLocked writes until nothing is left, letting the lock go during the calls.
func (s *socket) flushLocked(how manner) error {
	s.flushing = true
	for s.out != nil && s.writeErr == nil {
		out := s.out
		s.out = nil
		s.mu.Unlock()
		err := s.push(*out, how)
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
func (s *socket) push(p []byte, how manner) error {
	if s.raw != nil {
		return writeRaw(s, p, how)
	}
	if !s.timely(how.deadline) {
		if err := s.conn.SetWriteDeadline(how.deadline); err != nil {
			return fmt.Errorf("set the write deadline: %w", err)
		}
		s.deadline = how.deadline
	}
	_, err := s.conn.Write(p)
	return err
}

// timely says whether the deadline that is set will do for another one: hardly sooner, never later, and far away.
func (s *socket) timely(deadline time.Time) bool {
	later := deadline.Sub(s.deadline)
	return later >= 0 && later < s.timeout/deadlineSlack && time.Until(s.deadline) > s.timeout/2
}

// kindOf is the opcode of a message.
func kindOf(text bool) byte {
	if text {
		return opText
	}
	return opBinary
}

// addMessage keeps a message in one frame.
func (s *socket) addMessage(kind byte, message []byte) {
	out := s.buffer()
	*out = appendFrame(*out, kind, message)
}

func (s *socket) buffer() *[]byte {
	if s.out == nil {
		s.out = outBuffers.Get().(*[]byte)
	}
	return s.out
}
