package faults

import (
	"net"
	"sync"
	"time"
)

// pipe is a connection through a proxy: two sockets, of which the far one comes later.
type pipe struct {
	near, far *net.TCPConn
	ended     chan struct{}

	mu   sync.Mutex // guards far until it is set, and over
	over bool
}

// join takes the far socket; false, and it is closed, when the pipe has ended meanwhile.
func (l *pipe) join(far *net.TCPConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		abort(far)
		return false
	}
	l.far = far
	return true
}

// reset ends both sockets with RST.
func (l *pipe) reset() { l.end(abort) }

// finish ends both sockets politely: what was written still arrives.
func (l *pipe) finish() { l.end(func(socket *net.TCPConn) { _ = socket.Close() }) }

// end ends both sockets in the given way. Only the first call does something.
func (l *pipe) end(how func(*net.TCPConn)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return
	}
	l.over = true
	close(l.ended)
	how(l.near)
	if l.far != nil {
		how(l.far)
	}
}

// abort closes a socket so that its peer sees RST, not a polite end.
func abort(socket *net.TCPConn) {
	_ = socket.SetLinger(0) // fails only on a closed socket
	_ = socket.Close()
}

// await waits until the time has come; false when the pipe has ended first.
func (l *pipe) await(due time.Time) bool {
	left := time.Until(due)
	if left <= 0 {
		return true
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.ended:
		return false
	}
}
