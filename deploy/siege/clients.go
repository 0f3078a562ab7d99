package siege

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/fliliy/chat/gateway"
)

const (
	patience  = 60 * time.Second // with one attacker, or one honest connect
	tokenLife = time.Hour
	upgrade   = "GET /ws HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)

// address is one of 100 of a kind: attackers have theirs, and honest clients others.
func address(kind byte, number int) *net.TCPAddr {
	return &net.TCPAddr{IP: net.IPv4(127, 250+kind, byte(number%100), 1)} //nolint:gosec // G115: below 100
}

const (
	attackerKind = 0
	honestKind   = 1
)

// dial connects as an attacker.
func (s *system) dial(ctx context.Context, number int) (net.Conn, error) {
	dialer := net.Dialer{LocalAddr: address(attackerKind, number), Timeout: patience}
	conn, err := dialer.DialContext(ctx, "tcp", s.public())
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return conn, conn.SetDeadline(time.Now().Add(2 * patience))
}

// beSilent upgrades, and then waits to be cut.
func beSilent(ctx context.Context, s *system, number int) (time.Duration, error) {
	conn, err := s.dial(ctx, number)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, upgrade); err != nil {
		return 0, fmt.Errorf("upgrade: %w", err)
	}
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return 0, fmt.Errorf("upgrade: %w", err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		return 0, fmt.Errorf("upgrade: %s", response.Status)
	}
	began := time.Now()
	_, _ = io.Copy(io.Discard, reader) // how she is cut does not matter
	return time.Since(began), nil
}

// dribble sends the header of a request byte by byte, until it is cut.
func dribble(pause time.Duration) func(context.Context, *system, int) (time.Duration, error) {
	return func(ctx context.Context, s *system, number int) (time.Duration, error) {
		conn, err := s.dial(ctx, number)
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		began := time.Now()
		go func() {
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for i := range len(upgrade) {
				if _, err := io.WriteString(conn, upgrade[i:i+1]); err != nil {
					return
				}
				<-tick.C
			}
		}()
		_, _ = io.Copy(io.Discard, conn) // how she is cut does not matter
		return time.Since(began), nil
	}
}

// connects has honest clients connect, so many a second, until ctx ends.
func (s *system) connects(ctx context.Context, perSecond int) Latency {
	var all sync.WaitGroup
	var mu sync.Mutex
	var took []time.Duration
	failed := 0
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for number := 0; ctx.Err() == nil; number++ {
		all.Go(func() {
			began := time.Now()
			err := s.connect(context.WithoutCancel(ctx), number)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed++
				return
			}
			took = append(took, time.Since(began))
		})
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	all.Wait()
	return newLatency(took, failed)
}

// connect is one honest client: it connects, is let in, and goes.
func (s *system) connect(ctx context.Context, number int) error {
	token, err := gateway.SignToken(s.secret, fmt.Sprint("honest-", number), tokenLife)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dialer := net.Dialer{LocalAddr: address(honestKind, number)}
	transport := &http.Transport{DialContext: dialer.DialContext}
	defer transport.CloseIdleConnections()
	//nolint:bodyclose // Dial closes it
	conn, _, err := websocket.Dial(ctx, "ws://"+s.public()+"/ws", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, HTTPHeader: http.Header{"Authorization": {"Bearer " + token}},
	})
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.CloseNow() }()
	if err := conn.Write(ctx, websocket.MessageText, []byte("CONNECT\naccept-version:1.2\nhost:x\n\n\x00")); err != nil {
		return fmt.Errorf("send CONNECT: %w", err)
	}
	_, answer, err := conn.Read(ctx)
	if err != nil {
		return fmt.Errorf("read the answer to CONNECT: %w", err)
	}
	if !bytes.HasPrefix(answer, []byte("CONNECTED\n")) {
		return errors.New("the answer to CONNECT is not CONNECTED")
	}
	return nil
}
