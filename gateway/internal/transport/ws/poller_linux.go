package ws

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// poller tells connections that wait when something has come. There is one for the process, as there is one in the
// runtime. Each connection has one place, armed for one call at a time (EPOLLONESHOT). Its goroutine runs while
// somebody has a place.
type poller struct {
	file *os.File // the epoll descriptor, itself waited for by the runtime
	raw  syscall.RawConn

	mu      sync.Mutex
	seats   []seat  // by index; the first is never given away
	unused  []int32 // their indexes
	running bool
}

// seat is where the kernel's events find their connection.
type seat struct {
	conn *Conn // nil while unused
	turn int32 // how often it was given away: events for an earlier connection are late
}

// place is a seat of one connection's; the zero value is none.
type place struct{ index, turn int32 }

var (
	once   sync.Once
	shared *poller
)

// polling returns the poller; nil where there cannot be one.
func polling() *poller {
	once.Do(func() {
		p, err := newPoller()
		if err != nil {
			return // connections read on goroutines of their own
		}
		shared = p
	})
	return shared
}

func newPoller() (*poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create an epoll descriptor: %w", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // so that os has the runtime wait for it
		return nil, errors.Join(err, syscall.Close(fd))
	}
	p := &poller{file: os.NewFile(uintptr(fd), "epoll"), seats: make([]seat, 1)}
	if p.raw, err = p.file.SyscallConn(); err == nil {
		err = p.file.SetReadDeadline(time.Time{})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("wait for the epoll descriptor: %w", err), p.file.Close())
	}
	return p, nil
}

// arm asks for one call of the connection's wake. The caller holds waiting.mu, and the socket is open.
func (p *poller) arm(c *Conn) error {
	w := &c.waiting
	operation := syscall.EPOLL_CTL_MOD
	if w.place == (place{}) {
		operation = syscall.EPOLL_CTL_ADD
		w.place = p.seat(c)
	}
	event := syscall.EpollEvent{
		Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT, Fd: w.place.index, Pad: w.place.turn,
	}
	var failed error
	err := c.socket.raw.Control(func(fd uintptr) {
		failed = p.control(operation, int(fd), &event) //nolint:gosec // G115: a descriptor
	})
	return errors.Join(err, failed)
}

func (p *poller) control(operation, fd int, event *syscall.EpollEvent) (failed error) {
	err := p.raw.Control(func(epoll uintptr) {
		failed = syscall.EpollCtl(int(epoll), operation, fd, event) //nolint:gosec // G115: a descriptor
	})
	return errors.Join(err, failed)
}

func (p *poller) seat(c *Conn) place {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.unused) == 0 {
		p.unused = append(p.unused, int32(len(p.seats))) //nolint:gosec // G115: fewer than descriptors
		p.seats = append(p.seats, seat{})
	}
	index := p.unused[len(p.unused)-1]
	p.unused = p.unused[:len(p.unused)-1]
	p.seats[index].conn = c
	if !p.running {
		p.running = true
		_ = p.file.SetReadDeadline(time.Time{}) // it can be set: newPoller has tried
		go p.run()
	}
	return place{index, p.seats[index].turn}
}

// disarm gives a place back. The kernel forgets the socket when it is closed.
func (p *poller) disarm(at place) {
	if at == (place{}) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seats[at.index] = seat{turn: at.turn + 1}
	p.unused = append(p.unused, at.index)
	if p.isEmpty() {
		_ = p.file.SetReadDeadline(time.Unix(1, 0)) // has run look
	}
}

func (p *poller) isEmpty() bool { return len(p.unused) == len(p.seats)-1 }

// rests says whether nobody has a place any more; then the next one to take one starts run again.
func (p *poller) rests() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isEmpty() {
		p.running = false
		return true
	}
	_ = p.file.SetReadDeadline(time.Time{}) // somebody came meanwhile
	return false
}

// run wakes connections until nobody has a place.
func (p *poller) run() {
	events := make([]syscall.EpollEvent, 128)
	var ready []*Conn
	for {
		n := 0
		if err := p.raw.Read(func(fd uintptr) bool {
			n, _ = syscall.EpollWait(int(fd), events, 0) //nolint:gosec // G115; interrupted is nothing yet
			return n > 0
		}); err != nil && p.rests() {
			return
		}
		p.mu.Lock()
		for i := range events[:n] {
			if at := p.seats[events[i].Fd]; at.conn != nil && at.turn == events[i].Pad {
				ready = append(ready, at.conn)
			}
		}
		p.mu.Unlock()
		for _, c := range ready {
			c.wake()
		}
		clear(ready)
		ready = ready[:0]
	}
}
