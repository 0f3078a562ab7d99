package ws_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/principal"
	"github.com/fliliy/chat/gateway/internal/transport"
	"github.com/fliliy/chat/gateway/internal/transport/ws"
)

// patience is how long a test waits for what must happen; it judges no speed.
const patience = 20 * time.Second

// rig is a server whose connections the test serves by itself.
type rig struct {
	url   string // http://127.0.0.1:port
	addr  string
	conns chan served

	manner manner

	writes    atomic.Int64 // write calls of the server, to all sockets
	deadlines atomic.Int64 // write deadlines it has set
}

// manner is how the server's end reads.
type manner string

const (
	direct  manner = "from the descriptor"
	through manner = "through net.Conn" // as with TLS
	called  manner = "when called"      // by Await and Poll
)

// inEachManner runs a test in each of them, the first of them under the test's own name.
func inEachManner(t *testing.T, test func(t *testing.T, m manner)) {
	t.Helper()
	test(t, direct)
	for _, m := range []manner{through, called} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			test(t, m)
		})
	}
}

// countingListener counts the write calls on its connections, each of which is a system call.
type countingListener struct {
	net.Listener
	rig *rig
}

func (l *countingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	counting := &countingConn{conn, l.rig}
	if l.rig.manner == through {
		return counting, nil
	}
	return &struct {
		*countingConn
		syscall.Conn
	}{counting, conn.(*net.TCPConn)}, nil
}

type countingConn struct {
	net.Conn
	rig *rig
}

func (c *countingConn) SetWriteDeadline(t time.Time) error {
	c.rig.deadlines.Add(1)
	return c.Conn.SetWriteDeadline(t)
}

func (c *countingConn) Write(p []byte) (int, error) {
	c.rig.writes.Add(1)
	return c.Conn.Write(p)
}

func (c *countingConn) CloseWrite() error { return c.Conn.(*net.TCPConn).CloseWrite() }

type served struct {
	conn      *ws.Conn
	handshake ws.Handshake
	manner    manner
}

// newRig starts a server. Options without Verify and Serve get ones that fit: the token "good" is alice's.
func newRig(t testing.TB, opts ws.Options) *rig {
	t.Helper()
	return newRigOf(t, direct, opts)
}

func newRigOf(t testing.TB, m manner, opts ws.Options) *rig {
	t.Helper()
	r := &rig{conns: make(chan served, 16), manner: m}
	if opts.Verify == nil {
		opts.Verify = verify
	}
	done := make(chan struct{})
	if opts.Serve == nil {
		opts.Serve = func(_ context.Context, c *ws.Conn, h ws.Handshake) {
			r.conns <- served{conn: c, handshake: h, manner: m}
			<-done
		}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	server := httptest.NewUnstartedServer(ws.Handler(opts))
	server.Listener = &countingListener{Listener: server.Listener, rig: r}
	server.Start()
	t.Cleanup(func() {
		close(done)
		server.Close()
	})
	r.url, r.addr = server.URL, server.Listener.Addr().String()
	return r
}

var tokenEnd = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func verify(_ context.Context, token string) (principal.Principal, error) {
	switch token {
	case "good":
		return principal.Principal{User: "alice", Expires: tokenEnd}, nil
	case "old":
		return principal.Principal{}, &event.Error{Code: event.TokenExpired, Message: "the token has expired"}
	case "later":
		return principal.Principal{}, &event.Error{Code: event.Unavailable, Message: "no keys", RetryAfter: 3 * time.Second}
	case "boom":
		return principal.Principal{}, errors.New("secret detail")
	default:
		return principal.Principal{}, &event.Error{Code: event.Unauthenticated, Message: "the token is not valid"}
	}
}

// accepted waits for the server's end of the next connection.
func (r *rig) accepted(t testing.TB) served {
	t.Helper()
	select {
	case s := <-r.conns:
		return s
	case <-time.After(patience):
		t.Fatal("no connection was served")
		return served{}
	}
}

// request is a proper upgrade request, changed by header: an empty value removes.
func (r *rig) request(t *testing.T, target string, header map[string]string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket")
	req.Header.Set("Sec-WebSocket-Version", "13")
	req.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	for key, value := range header {
		req.Header.Del(key)
		if value != "" {
			req.Header.Set(key, value)
		}
	}
	return req
}

// do sends a request on a fresh connection and returns the answer with the body read (none for 101).
func do(t *testing.T, req *http.Request) (*http.Response, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", req.URL, err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp, ""
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// wire is a raw client: it sends any bytes and reads frames, good and bad.
type wire struct {
	net.Conn
	br *bufio.Reader
}

// dialWire upgrades by hand; early is sent in the same packet as the request.
func dialWire(t testing.TB, r *rig, early ...byte) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	request := "GET /ws HTTP/1.1\r\nHost: " + r.addr + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	if _, err := conn.Write(append([]byte(request), early...)); err != nil {
		t.Fatal(err)
	}
	w := &wire{Conn: conn, br: bufio.NewReader(conn)}
	resp, err := http.ReadResponse(w.br, nil)
	if err != nil {
		t.Fatalf("read the answer to the handshake: %v", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status %d, want 101", resp.StatusCode)
	}
	return w
}

// Opcodes of RFC 6455 section 5.2, and the FIN bit.
const (
	opContinue, opText, opBinary, opClose, opPing, opPong = 0, 1, 2, 8, 9, 10
	fin                                                   = 0x80
)

// frame makes a masked client frame; first is FIN, RSV and opcode.
func frame(first byte, payload string) []byte {
	key := [4]byte{0x12, 0x34, 0x56, 0x78}
	p := []byte{first}
	switch n := len(payload); {
	case n < 126:
		p = append(p, 0x80|byte(n))
	case n < 1<<16:
		p = binary.BigEndian.AppendUint16(append(p, 0x80|126), uint16(n))
	default:
		p = binary.BigEndian.AppendUint64(append(p, 0x80|127), uint64(n))
	}
	p = append(p, key[:]...)
	for i := range len(payload) {
		p = append(p, payload[i]^key[i%4])
	}
	return p
}

func (w *wire) send(t *testing.T, frames ...[]byte) {
	t.Helper()
	for _, f := range frames {
		if _, err := w.Write(f); err != nil {
			t.Fatalf("send: %v", err)
		}
	}
}

// read reads one frame of the server.
func (w *wire) read() (first byte, payload []byte, err error) {
	var header [2]byte
	if _, err := io.ReadFull(w.br, header[:]); err != nil {
		return 0, nil, err
	}
	n := uint64(header[1])
	switch n {
	case 126:
		var size [2]byte
		if _, err := io.ReadFull(w.br, size[:]); err != nil {
			return 0, nil, err
		}
		n = uint64(binary.BigEndian.Uint16(size[:]))
	case 127:
		var size [8]byte
		if _, err := io.ReadFull(w.br, size[:]); err != nil {
			return 0, nil, err
		}
		n = binary.BigEndian.Uint64(size[:])
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(w.br, payload)
	return header[0], payload, err
}

// closeCode reads until the server's close frame, returns its code and hangs up; 0 when the connection ends without one.
func (w *wire) closeCode(t *testing.T) transport.CloseCode {
	t.Helper()
	for {
		first, payload, err := w.read()
		if err != nil {
			return 0
		}
		if first == fin|opClose && len(payload) >= 2 {
			_ = w.Close()
			return transport.CloseCode(binary.BigEndian.Uint16(payload))
		}
	}
}

// client is coder/websocket's client as transporttest.Peer.
type client struct{ *websocket.Conn }

func dialClient(t *testing.T, r *rig, opts *websocket.DialOptions) client {
	t.Helper()
	c, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(r.url, "http")+"/ws", opts)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	c.SetReadLimit(-1)
	t.Cleanup(func() { _ = c.CloseNow() })
	return client{c}
}

func (c client) Send(message []byte) error {
	return c.Write(context.Background(), websocket.MessageText, message)
}

func (c client) Receive() ([]byte, error) {
	_, message, err := c.Read(context.Background())
	var closed websocket.CloseError
	if errors.As(err, &closed) {
		return nil, &transport.ClosedError{Code: transport.CloseCode(closed.Code), Reason: closed.Reason}
	}
	return message, err
}

func (c client) Close(code transport.CloseCode, reason string) error {
	return c.Conn.Close(websocket.StatusCode(code), reason)
}

func (c client) Cut() { _ = c.CloseNow() }
