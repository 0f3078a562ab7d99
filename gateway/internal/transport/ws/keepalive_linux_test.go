package ws_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"syscall"
	"testing"

	"github.com/fliliy/chat/gateway/internal/transport/ws"
)

// keepingListener keeps the connections it accepts.
type keepingListener struct {
	net.Listener
	accepted chan *net.TCPConn
}

func (l keepingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		l.accepted <- tcp
	}
	return conn, err
}

// TCP keep-alive is on, with our times: it finds dead peers beneath the pings.
func TestTCPKeepAlive(t *testing.T) {
	t.Parallel()
	serving, done := make(chan struct{}), make(chan struct{})
	server := httptest.NewUnstartedServer(ws.Handler(ws.Options{
		Verify: verify, Logger: slog.New(slog.DiscardHandler),
		Serve: func(context.Context, *ws.Conn, ws.Handshake) { close(serving); <-done },
	}))
	listener := keepingListener{server.Listener, make(chan *net.TCPConn, 1)}
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(done) })

	client, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := io.WriteString(client, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-serving
	raw, err := (<-listener.accepted).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for name, option := range map[string]struct{ level, option, want int }{
		"SO_KEEPALIVE":  {syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
		"TCP_KEEPIDLE":  {syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 30},
		"TCP_KEEPINTVL": {syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 10},
		"TCP_KEEPCNT":   {syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 3},
	} {
		var got int
		var failed error
		if err := raw.Control(func(fd uintptr) {
			got, failed = syscall.GetsockoptInt(int(fd), option.level, option.option)
		}); err != nil || failed != nil {
			t.Fatalf("%s: %v, %v", name, err, failed)
		}
		if got != option.want {
			t.Errorf("%s = %d, want %d", name, got, option.want)
		}
	}
}
