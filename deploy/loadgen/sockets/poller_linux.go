package sockets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// poller waits for sockets, for a time and for other goroutines.
type poller struct {
	epoll, timer, wakeup int
	events               []unix.EpollEvent
}

// batch is how many sockets one wait may report.
const batch = 512

func newPoller() (p *poller, err error) {
	p = &poller{epoll: -1, timer: -1, wakeup: -1, events: make([]unix.EpollEvent, batch)}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if p.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("make an epoll instance: %w", err)
	}
	if p.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return nil, fmt.Errorf("make a timer: %w", err)
	}
	if p.wakeup, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return nil, fmt.Errorf("make an event: %w", err)
	}
	if err := errors.Join(p.add(p.timer), p.add(p.wakeup)); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *poller) close() {
	for _, fd := range []int{p.epoll, p.timer, p.wakeup} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

func (p *poller) add(fd int) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)} //nolint:gosec // G115: descriptors are small
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return fmt.Errorf("watch a socket: %w", err)
	}
	return nil
}

// wantWrite says whether the socket is watched for room to write as well.
func (p *poller) wantWrite(fd int, want bool) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)} //nolint:gosec // G115: descriptors are small
	if want {
		event.Events |= unix.EPOLLOUT
	}
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_MOD, fd, &event); err != nil {
		return fmt.Errorf("watch a socket: %w", err)
	}
	return nil
}

// arm makes the timer ring after a time; zero or less is at once.
func (p *poller) arm(after time.Duration) error {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(after, 1)))}
	if err := unix.TimerfdSettime(p.timer, 0, &spec, nil); err != nil {
		return fmt.Errorf("set the timer: %w", err)
	}
	return nil
}

// wake ends a wait; any goroutine may call it.
func (p *poller) wake() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	_, _ = unix.Write(p.wakeup, one[:]) // it can only be full, which wakes as well
}

// drain makes timer and wakeup quiet again.
func (p *poller) drain(fd int) {
	var count [8]byte
	_, _ = unix.Read(fd, count[:]) // nothing to read: somebody was faster
}

// wait blocks until something is ready and reports it: readable, or broken, which reading tells; and writable.
func (p *poller) wait(report func(fd int, read, write bool)) error {
	n, err := unix.EpollWait(p.epoll, p.events, -1)
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("wait for sockets: %w", err)
	}
	for _, e := range p.events[:n] {
		report(int(e.Fd), e.Events&^unix.EPOLLOUT != 0, e.Events&unix.EPOLLOUT != 0)
	}
	return nil
}

// connect begins a connection from a source address, where one is given.
func connect(source netip.Addr, to netip.AddrPort) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("make a socket: %w", err)
	}
	defer func() {
		if err != nil {
			_ = unix.Close(fd)
		}
	}()
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return -1, fmt.Errorf("set up a socket: %w", err)
	}
	if source.IsValid() {
		// The port is chosen at connect, so that one is taken per pair of addresses and not per source.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return -1, fmt.Errorf("set up a socket: %w", err)
		}
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: source.As4()}); err != nil {
			return -1, fmt.Errorf("bind to %s: %w", source, err)
		}
	}
	err = unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return -1, fmt.Errorf("connect to %s: %w", to, err)
	}
	return fd, nil
}
