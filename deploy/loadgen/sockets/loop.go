package sockets

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// readBuffer is the most that one read takes, and the longest message that is accepted, in bytes.
const readBuffer = 256 << 10

// maxUnsent is how much may wait for the server to read, per socket, in bytes.
const maxUnsent = 4 << 20

// Handler is told what happens. The loop calls it from its own goroutine, one call at a time, never from within Dial,
// Send or Close.
type Handler interface {
	// Opened: the WebSocket handshake is done.
	Opened(c *Conn)
	// Message is one whole message of the server. It may be used until the call returns.
	Message(c *Conn, message []byte)
	// Closed: the socket is gone; not called after Close. The error says why.
	Closed(c *Conn, err error)
	// Due: the time that Arm was given has come.
	Due()
}

// Conn is one WebSocket. All of it belongs to the loop's goroutine.
type Conn struct {
	// Owner is the caller's own number for it.
	Owner int

	fd        int // -1 once it is closed
	open      bool
	wantWrite bool
	carry     []byte // of a frame that has not come whole
	partial   []byte // of a message in fragments
	out       []byte // what the socket did not take yet
}

// Loop is the goroutine that serves all sockets. Only Do may be called from another one.
type Loop struct {
	handler Handler
	poller  *poller
	conns   []*Conn // by descriptor
	began   time.Time
	offset  time.Duration // of began on the machine's monotonic clock
	now     time.Duration
	ended   bool

	in  []byte // what is read, whole
	out []byte // the frame that is being sent
	key uint64 // of masking, see nextKey

	mu    sync.Mutex
	asked []func()
}

// New makes a loop; Run runs and closes it.
func New(handler Handler) (*Loop, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	l := &Loop{
		handler: handler, poller: p, in: make([]byte, readBuffer), out: make([]byte, 0, 4096),
		key: rand.Uint64() | 1, //nolint:gosec // G404: it is for servers on the same machine
	}
	var clock unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &clock); err != nil {
		p.close()
		return nil, fmt.Errorf("read the clock: %w", err)
	}
	l.began, l.offset = time.Now(), time.Duration(clock.Nano())
	l.Refresh()
	return l, nil
}

// Now is the machine's monotonic clock, the same in all processes, as it was when the event came that is being handled.
func (l *Loop) Now() time.Duration { return l.now }

// Refresh makes Now the present.
func (l *Loop) Refresh() time.Duration {
	l.now = l.offset + time.Since(l.began)
	return l.now
}

// Do makes the loop call f soon. It may be called from any goroutine.
func (l *Loop) Do(f func()) {
	l.mu.Lock()
	l.asked = append(l.asked, f)
	l.mu.Unlock()
	l.poller.wake()
}

// Arm makes the handler's Due be called at a time; it replaces the time before.
func (l *Loop) Arm(at time.Duration) error { return l.poller.arm(at - l.Refresh()) }

// Run serves the sockets until the context ends, and closes them all. It is called once.
func (l *Loop) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { l.Do(func() { l.ended = true }) })
	defer stop()
	defer l.closeAll()
	for !l.ended {
		if err := l.poller.wait(l.serve); err != nil {
			return err
		}
	}
	return nil
}

func (l *Loop) closeAll() {
	for _, c := range l.conns {
		if c != nil {
			l.Close(c)
		}
	}
	l.poller.close()
}

// serve handles what one descriptor has reported.
func (l *Loop) serve(fd int, read, write bool) {
	l.Refresh()
	switch fd {
	case l.poller.timer:
		l.poller.drain(fd)
		l.handler.Due()
		return
	case l.poller.wakeup:
		l.poller.drain(fd)
		l.mu.Lock()
		asked := l.asked
		l.asked = nil
		l.mu.Unlock()
		for _, f := range asked {
			f()
		}
		return
	}
	c := l.conns[fd]
	if c == nil {
		return // closed since it was reported
	}
	if write {
		if err := l.flush(c); err != nil {
			l.fail(c, err)
			return
		}
	}
	if read {
		if err := l.read(c); err != nil {
			l.fail(c, err)
		}
	}
}

// Dial begins a WebSocket; the handler is told how it goes. The source address may be the zero one.
func (l *Loop) Dial(owner int, source netip.Addr, to netip.AddrPort, path string) (*Conn, error) {
	fd, err := connect(source, to)
	if err != nil {
		return nil, err
	}
	if err := l.poller.add(fd); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	c := &Conn{Owner: owner, fd: fd}
	for fd >= len(l.conns) {
		l.conns = append(l.conns, nil)
	}
	l.conns[fd] = c
	if err := l.write(c, appendRequest(l.out[:0], to, path)); err != nil {
		l.Close(c)
		return nil, err
	}
	return c, nil
}

// Send sends a text message. What the socket does not take at once is sent when it can.
func (l *Loop) Send(c *Conn, message []byte) error {
	l.out = appendFrame(l.out[:0], opText, message, l.nextKey())
	return l.write(c, l.out)
}

// Close cuts a connection without a word; the second and later calls do nothing.
func (l *Loop) Close(c *Conn) {
	if c.fd < 0 {
		return
	}
	l.conns[c.fd] = nil
	_ = unix.Close(c.fd) // which ends its watch, too
	c.fd, c.carry, c.partial, c.out = -1, nil, nil, nil
}

func (l *Loop) fail(c *Conn, err error) {
	if c.fd >= 0 {
		l.Close(c)
		l.handler.Closed(c, err)
	}
}

var (
	errClosed  = errors.New("the connection is closed")
	errUnsent  = errors.New("the server does not read")
	errEOF     = errors.New("the server closed the socket without a close frame")
	errTooLong = fmt.Errorf("the server sent a message of more than %d bytes", readBuffer)
)

// write sends bytes behind what waits already.
func (l *Loop) write(c *Conn, data []byte) error {
	if c.fd < 0 {
		return errClosed
	}
	if len(c.out)+len(data) > maxUnsent {
		return errUnsent
	}
	if len(c.out) > 0 {
		c.out = append(c.out, data...)
		return nil
	}
	n, err := unix.Write(c.fd, data)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("write: %w", err)
	}
	if n = max(n, 0); n < len(data) {
		c.out = append(c.out, data[n:]...)
		return l.watch(c)
	}
	return nil
}

// flush sends what waits.
func (l *Loop) flush(c *Conn) error {
	if len(c.out) > 0 {
		n, err := unix.Write(c.fd, c.out)
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			return fmt.Errorf("write: %w", err)
		}
		c.out = c.out[:copy(c.out, c.out[max(n, 0):])]
	}
	return l.watch(c)
}

// watch asks for room to write when something waits, and no longer than that.
func (l *Loop) watch(c *Conn) error {
	if want := len(c.out) > 0; want != c.wantWrite {
		c.wantWrite = want
		return l.poller.wantWrite(c.fd, want)
	}
	return nil
}

// read takes what the socket has and hands out the messages in it.
func (l *Loop) read(c *Conn) error {
	have := copy(l.in, c.carry)
	n, err := unix.Read(c.fd, l.in[have:])
	switch {
	case errors.Is(err, unix.EAGAIN):
		return nil
	case err != nil:
		return fmt.Errorf("read: %w", err)
	case n == 0:
		return errEOF
	}
	data := l.in[:have+n]
	if !c.open {
		if data, err = l.handshake(c, data); err != nil {
			return err
		}
	}
	if c.open {
		if data, err = l.messages(c, data); err != nil || c.fd < 0 {
			return err
		}
	}
	if len(data) == len(l.in) {
		return errTooLong
	}
	c.carry = append(c.carry[:0], data...)
	return nil
}
