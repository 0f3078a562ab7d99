package lb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// backend plays a gateway: /readyz, and a WebSocket that first says who it is and then echoes.
type backend struct {
	ip       [4]byte
	notReady atomic.Bool
	seen     chan http.Header // of each request but health checks
}

func (b *backend) name() string { return net.IP(b.ip[:]).String() }

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/readyz" {
		if b.notReady.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return
	}
	select {
	case b.seen <- r.Header:
	default: // nobody looks
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"v12.stomp"}})
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(1 << 20)
	if err := conn.Write(r.Context(), websocket.MessageText, []byte(b.name())); err != nil {
		return
	}
	for {
		kind, data, err := conn.Read(r.Context())
		if err != nil {
			return
		}
		if err := conn.Write(r.Context(), kind, data); err != nil {
			return
		}
	}
}

// startBackends listens on 127.0.1.1, 127.0.1.2, ... on one port, as gateways do in their containers.
func startBackends(t *testing.T, count int) ([]*backend, int) {
	t.Helper()
	port := 0
	backends := make([]*backend, count)
	for i := range backends {
		b := &backend{ip: [4]byte{127, 0, 1, byte(i + 1)}, seen: make(chan http.Header, 1)}
		listener, err := net.Listen("tcp", net.JoinHostPort(b.name(), strconv.Itoa(port)))
		if err != nil {
			t.Fatal(err)
		}
		port = listener.Addr().(*net.TCPAddr).Port
		server := &http.Server{Handler: b, ReadHeaderTimeout: time.Minute}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = server.Serve(listener) // ends with Close
		}()
		t.Cleanup(func() {
			_ = server.Close()
			<-done
		})
		backends[i] = b
	}
	return backends, port
}

// variant is a configuration with other addresses and faster checks, and nothing else.
func variant(t *testing.T, file, bind, dnsAddr string, gatewayPort, public, health int) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []struct{ was, is string }{
		{"nameserver dns 127.0.0.11:53", "nameserver dns " + dnsAddr},
		{bind, fmt.Sprint("bind 127.0.0.1:", public)},
		{"bind 127.0.0.1:8404", fmt.Sprint("bind 127.0.0.1:", health)},
		{"gateway- 20 gateway:8080", fmt.Sprint("gateway- 20 gateway:", gatewayPort)},
		{" inter 2s", " inter 100ms"},
		{"hold obsolete 5s", "hold obsolete 100ms\n\thold valid 100ms\n\ttimeout resolve 100ms"},
		{"\ttimeout resolve 1s\n", ""},
		{"maxconn 30000", "maxconn 300"},
	} {
		if n := bytes.Count(content, []byte(change.was)); n != 1 {
			t.Fatalf("%s has %q %d times, want once", file, change.was, n)
		}
		content = bytes.ReplaceAll(content, []byte(change.was), []byte(change.is))
	}
	path := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// lb is a running HAProxy.
type lb struct {
	public, health string
	output         *lockedBuffer
}

func startLB(t *testing.T, dnsAddr string, gatewayPort int) *lb {
	t.Helper()
	return startVariant(t, "haproxy.cfg", "bind :8080", dnsAddr, gatewayPort)
}

func startVariant(t *testing.T, file, bind, dnsAddr string, gatewayPort int) *lb {
	t.Helper()
	public, health := freePort(t), freePort(t)
	l := &lb{
		public: fmt.Sprint("127.0.0.1:", public), health: fmt.Sprint("127.0.0.1:", health), output: &lockedBuffer{},
	}
	cmd := exec.Command(program(t), "-db", "-f", variant(t, file, bind, dnsAddr, gatewayPort, public, health))
	cmd.Stdout, cmd.Stderr = l.output, l.output
	if err := cmd.Start(); err != nil {
		t.Fatalf("start haproxy: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("haproxy said:\n%s", l.output)
		}
	})
	await(t, "HAProxy answers its own health check", func() bool {
		return status(t, "http://"+l.health+"/healthz") == http.StatusOK
	})
	return l
}

// program is where Debian's package puts HAProxy, which is on few people's PATH.
func program(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("haproxy")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/haproxy")
	}
	if err != nil {
		t.Fatalf("find haproxy: %v; install Debian's package haproxy", err)
	}
	return path
}

// status is the HTTP status of a GET, 0 without one.
func status(t *testing.T, url string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// client is a WebSocket through the load balancer.
type client struct {
	*websocket.Conn
	gateway string // which it got to
}

var errNoGateway = errors.New("no gateway")

// connect opens a WebSocket; errNoGateway when HAProxy knows none that is ready.
func (l *lb) connect(t *testing.T, header http.Header) (*client, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, response, err := websocket.Dial(ctx, "ws://"+l.public+"/ws?token=secret-token",
		&websocket.DialOptions{HTTPHeader: header, Subprotocols: []string{"v12.stomp"}})
	if response != nil && response.StatusCode == http.StatusServiceUnavailable {
		return nil, errNoGateway
	}
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	_, name, err := conn.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the gateway's name: %w", err)
	}
	return &client{Conn: conn, gateway: string(name)}, nil
}

func (l *lb) mustConnect(t *testing.T, header http.Header) *client {
	t.Helper()
	c, err := l.connect(t, header)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// echo sends and receives once.
func (c *client) echo(text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := c.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	_, got, err := c.Read(ctx)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if string(got) != text {
		return fmt.Errorf("got %q, want %q", got, text)
	}
	return nil
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for !holds() {
		select {
		case <-poll.C:
		case <-deadline.C:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// lockedBuffer is a bytes.Buffer that may be read while the process still writes.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
