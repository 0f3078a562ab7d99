//go:build !linux

package sockets

import (
	"errors"
	"net/netip"
	"time"
)

var errNeedsLinux = errors.New("the load generator needs Linux (epoll)")

// poller is there so that the package compiles; there is none.
type poller struct{ timer, wakeup int }

func newPoller() (*poller, error)                           { return nil, errNeedsLinux }
func (p *poller) close()                                    {}
func (p *poller) add(int) error                             { return errNeedsLinux }
func (p *poller) wantWrite(int, bool) error                 { return errNeedsLinux }
func (p *poller) arm(time.Duration) error                   { return errNeedsLinux }
func (p *poller) wake()                                     {}
func (p *poller) drain(int)                                 {}
func (p *poller) wait(func(fd int, read, write bool)) error { return errNeedsLinux }

func connect(netip.Addr, netip.AddrPort) (int, error) { return -1, errNeedsLinux }
