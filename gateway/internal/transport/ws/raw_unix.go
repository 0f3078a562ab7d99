//go:build unix

package ws

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// rawOf gives access to the connection beneath net, if it is one of the system's.
func rawOf(conn net.Conn) syscall.RawConn {
	tcp, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil { // it is closed: reading tells
		return nil
	}
	return raw
}

// attempt is one reading of a raw connection; pooled with its method value, so that reading allocates nothing.
type attempt struct {
	chunk *[chunkSize]byte
	wait  bool
	n     int
	err   error
	try   func(fd uintptr) bool
}

var attempts = sync.Pool{New: func() any {
	a := new(attempt)
	a.try = a.read
	return a
}}

// readRaw is socket.read of a raw connection.
func readRaw(raw syscall.RawConn, chunk **[chunkSize]byte, wait bool) (int, error) {
	a := attempts.Get().(*attempt)
	a.wait = wait
	err := raw.Read(a.try)
	n, failed := a.n, a.err
	*chunk = a.chunk
	a.chunk, a.n, a.err = nil, 0, nil
	attempts.Put(a)
	switch {
	case err != nil:
		return 0, err
	case failed != nil:
		return 0, failed
	}
	return n, nil
}

// read tries once, and says whether that was all; else net waits until there may be something.
func (a *attempt) read(fd uintptr) bool {
	a.chunk = chunks.Get().(*[chunkSize]byte)
	for {
		n, err := syscall.Read(int(fd), a.chunk[:]) //nolint:gosec // G115: a descriptor
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			chunks.Put(a.chunk)
			a.chunk = nil
			return !a.wait
		case err != nil:
			a.err = err
		case n == 0:
			a.err = io.EOF
		default:
			a.n = n
		}
		return true
	}
}

// output is one writing to a raw connection, pooled like attempt.
type output struct {
	socket *socket
	p      []byte
	how    manner
	waited bool
	err    error
	try    func(fd uintptr) bool
}

var outputs = sync.Pool{New: func() any {
	o := new(output)
	o.try = o.write
	return o
}}

// writeRaw is socket.push of a raw connection. A deadline, which costs as much as framing two messages, is set only where
// the peer has to be waited for.
func writeRaw(s *socket, p []byte, how manner) error {
	o := outputs.Get().(*output)
	o.socket, o.p, o.how = s, p, how
	err := s.raw.Write(o.try)
	waited, failed := o.waited, o.err
	*o = output{try: o.try}
	outputs.Put(o)
	if waited {
		_ = s.conn.SetWriteDeadline(time.Time{}) // the next write tells what is wrong
	}
	return cmp.Or(err, failed)
}

// write tries, and says whether that was all; else net waits until there may be room.
func (o *output) write(fd uintptr) bool {
	for len(o.p) > 0 {
		n, err := syscall.Write(int(fd), o.p) //nolint:gosec // G115: a descriptor
		switch {
		case err == nil:
			o.p = o.p[n:]
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			o.wait()
			return false
		default:
			o.err = fmt.Errorf("write: %w", err)
			return true
		}
	}
	return true
}

// wait is called when the peer has to be waited for.
func (o *output) wait() {
	if o.waited {
		return
	}
	o.waited = true
	if o.how.waits != nil {
		o.how.waits()
	}
	_ = o.socket.conn.SetWriteDeadline(o.how.deadline) // it fails only where waiting will, too
}
