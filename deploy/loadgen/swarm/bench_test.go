package swarm_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/fliliy/chat/deploy/loadgen/sockets"
)

// counter counts messages.
type counter struct {
	b     *testing.B
	loop  *sockets.Loop
	left  int
	start func()
	done  func()
}

func (c *counter) Opened(*sockets.Conn)            { c.start() }
func (c *counter) Closed(_ *sockets.Conn, e error) { c.b.Error(e) }
func (c *counter) Due()                            {}
func (c *counter) Message(*sockets.Conn, []byte) {
	if c.left--; c.left == 0 {
		c.done()
	}
}

// BenchmarkSocket is the way of a delivery through the socket when many wait: a server that writes as much as it can.
func BenchmarkSocket(b *testing.B) {
	_, next := ready(b)
	message := next()
	frame := append([]byte{0x81, 126, byte(len(message) >> 8), byte(len(message))}, message...)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	ctx := b.Context()
	c := &counter{b: b, left: b.N}
	if c.loop, err = sockets.New(c); err != nil {
		b.Fatal(err)
	}
	go serveFrames(listener, frame, b.N)
	stopped := make(chan struct{})
	c.start = b.ResetTimer
	c.done = func() { b.StopTimer(); close(stopped) }
	c.loop.Do(func() {
		if _, err := c.loop.Dial(0, netip.Addr{}, netip.MustParseAddrPort(listener.Addr().String()), "/ws"); err != nil {
			b.Error(err)
		}
	})
	b.ReportAllocs()
	ended := make(chan error, 1)
	go func() { ended <- c.loop.Run(ctx) }()
	select {
	case <-stopped:
	case err := <-ended:
		b.Fatal("the loop ended: ", err)
	}
}

// serveFrames answers a handshake, and writes a frame n times, many at once.
func serveFrames(listener net.Listener, frame []byte, n int) {
	conn, err := listener.Accept()
	if err != nil {
		return
	}
	defer conn.Close()
	request := make([]byte, 4096)
	if _, err := conn.Read(request); err != nil {
		return
	}
	_, _ = conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"))
	var many []byte
	for range 100 {
		many = append(many, frame...)
	}
	for ; n >= 100; n -= 100 {
		if _, err := conn.Write(many); err != nil {
			return
		}
	}
	_, _ = conn.Write(many[:n*len(frame)])
	_, _ = conn.Read(request) // until the other side closes
}
