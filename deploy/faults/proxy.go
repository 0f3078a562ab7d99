package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	proxyDialTimeout = 5 * time.Second
	proxyChunk       = 32 << 10
	proxyChunks      = 256 // of one direction that may be on their way at once
)

// Proxy is a TCP proxy in front of one address that can spoil what passes through it. It begins healthy. Its methods
// are safe for concurrent use and take effect at once, also on connections that stand.
type Proxy struct {
	target   string
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex
	state weather
	turn  chan struct{} // closed when state changes
	pipes map[*pipe]struct{}
}

// weather is what a proxy does to what passes.
type weather struct {
	refuse, blackHole, closed bool
	delay                     time.Duration
}

// NewProxy listens and forwards to the target, which need not exist yet. The caller calls Close.
func NewProxy(listen, target string) (*Proxy, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w", target, err)
	}
	p := &Proxy{target: target, listener: listener, turn: make(chan struct{}), pipes: make(map[*pipe]struct{})}
	p.running.Go(p.accept)
	return p, nil
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut resets all connections; new ones are as before.
func (p *Proxy) Cut() {
	p.mu.Lock()
	pipes := make([]*pipe, 0, len(p.pipes))
	for l := range p.pipes {
		pipes = append(pipes, l)
	}
	p.mu.Unlock()
	for _, l := range pipes {
		l.reset()
	}
}

// Refuse resets all connections, and new ones as soon as they come, until Heal.
func (p *Proxy) Refuse() {
	p.become(weather{refuse: true})
	p.Cut()
}

// BlackHole lets nothing through, in no direction, and tells nobody, until Heal: then what was held goes on its way, as
// TCP would send it again. New connections are accepted and lead nowhere meanwhile.
func (p *Proxy) BlackHole() { p.become(weather{blackHole: true}) }

// Delay lets everything through a while later.
func (p *Proxy) Delay(by time.Duration) { p.become(weather{delay: by}) }

// Heal ends Refuse, BlackHole and Delay.
func (p *Proxy) Heal() { p.become(weather{}) }

// Close resets all connections, stops listening and waits until nothing of the proxy runs.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.become(weather{closed: true})
	p.Cut()
	p.running.Wait()
	return err
}

func (p *Proxy) become(next weather) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state.closed {
		return
	}
	p.state = next
	close(p.turn)
	p.turn = make(chan struct{})
}

func (p *Proxy) now() (weather, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state, p.turn
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // this connection failed before we had it
		}
		l := &pipe{near: conn.(*net.TCPConn), ended: make(chan struct{})}
		p.mu.Lock()
		unwanted := p.state.refuse || p.state.closed
		if !unwanted {
			p.pipes[l] = struct{}{}
		}
		p.mu.Unlock()
		if unwanted {
			l.reset()
			continue
		}
		p.running.Go(func() { p.serve(l) })
	}
}

// serve works one connection to its end.
func (p *Proxy) serve(l *pipe) {
	defer func() {
		l.reset() // unless it has ended already
		p.mu.Lock()
		delete(p.pipes, l)
		p.mu.Unlock()
	}()
	if !p.pass(l) {
		return
	}
	dialer := net.Dialer{Timeout: proxyDialTimeout}
	far, err := dialer.DialContext(context.Background(), "tcp", p.target)
	if err != nil || !l.join(far.(*net.TCPConn)) {
		return
	}
	var ways sync.WaitGroup
	ways.Go(func() { p.pump(l, l.near, l.far) })
	ways.Go(func() { p.pump(l, l.far, l.near) })
	ways.Wait()
	l.finish()
}

// pass waits while there is a black hole; false when the pipe has ended.
func (p *Proxy) pass(l *pipe) bool {
	for {
		state, turn := p.now()
		if !state.blackHole {
			return true
		}
		select {
		case <-turn:
		case <-l.ended:
			return false
		}
	}
}

// parcel is a piece of one direction, and when it is due.
type parcel struct {
	data []byte
	due  time.Time
}

// pump carries one direction until its end. An end without error is passed on, so that half-open connections stay
// what they are; anything else ends the pipe.
func (p *Proxy) pump(l *pipe, from, to *net.TCPConn) {
	parcels := make(chan parcel, proxyChunks)
	var delivery sync.WaitGroup
	delivery.Go(func() { p.deliver(l, to, parcels) })
	defer delivery.Wait()
	defer close(parcels)
	for {
		buffer := make([]byte, proxyChunk)
		n, err := from.Read(buffer)
		state, _ := p.now()
		select {
		case parcels <- parcel{buffer[:n], time.Now().Add(state.delay)}:
		case <-l.ended:
			return
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				l.reset()
			}
			return
		}
	}
}

func (p *Proxy) deliver(l *pipe, to *net.TCPConn, parcels <-chan parcel) {
	for next := range parcels {
		if !l.await(next.due) || !p.pass(l) {
			return
		}
		if _, err := to.Write(next.data); err != nil {
			l.reset()
			return
		}
	}
	_ = to.CloseWrite() // fails only when the pipe has ended
}
