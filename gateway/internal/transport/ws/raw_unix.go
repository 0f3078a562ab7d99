//go:build unix

package ws

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
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
