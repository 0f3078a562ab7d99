package session

import "time"

const (
	// soon and briskFrom say which clients are worth a goroutine that waits for them: those whose last bytes all came
	// soon after one another.
	soon      = 2 * time.Second
	briskFrom = 8
)

// waiterOf returns the connection if it can wait without a goroutine, or nil.
func waiterOf(conn Conn) Waiter {
	if w, ok := conn.(Waiter); ok && w.CanAwait() {
		return w
	}
	return nil
}

// yielderOf returns the connection if it knows when a write has to wait, or nil.
func yielderOf(conn Conn) Yielder {
	if y, ok := conn.(Yielder); ok && y.CanYield() {
		return y
	}
	return nil
}

// read takes in what the client sends, until the session is to end or the pipe breaks, and then leaves. It returns
// earlier where the connection waits by itself; then it is called again when there is something to read.
func (s *session) read() {
	for s.reader.waiting || s.listening(true) {
		s.reader.waiting = true
		chunk, called, err := s.receive()
		if called {
			return // and touches nothing: read may be under way again
		}
		s.reader.waiting = false
		if !s.listening(false) {
			break
		}
		if err != nil {
			s.lost(err)
			break
		}
		if err := s.consumeSafely(chunk); err != nil {
			s.fail(err)
			break
		}
	}
	s.leave()
	s.reader.over()
}

// receive returns the next bytes of the client, or says that read will be called when there are some.
func (s *session) receive() (chunk []byte, called bool, err error) {
	w := s.reader.waiter
	if w == nil {
		chunk, err = s.conn.Read(s.base)
		return chunk, false, err
	}
	brisk := s.reader.brisk >= briskFrom
	chunk, err = w.Poll(brisk)
	if err != nil || len(chunk) > 0 {
		return chunk, false, err
	}
	if brisk { // what came was nothing of a message, so that it is quiet now
		s.reader.brisk = 0
	}
	w.Await(s.reader.again)
	return nil, true, nil
}

// listening notes when the reader starts and ends waiting for bytes, and says whether the session takes frames.
func (s *session) listening(yes bool) bool {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !yes {
		s.noteHaste(now.Sub(s.clock.lastIn))
	}
	s.clock.reading = yes
	s.clock.lastIn = now
	return s.isAlive()
}

// noteHaste notes after which time bytes came.
func (s *session) noteHaste(after time.Duration) {
	switch r := &s.reader; {
	case after >= soon:
		r.brisk = 0
	case r.brisk < briskFrom:
		r.brisk++
	}
}
