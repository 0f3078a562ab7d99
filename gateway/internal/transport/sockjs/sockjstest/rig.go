// Package sockjstest holds a SockJS server, wherever it listens, against the cases of the public suite of SockJS 0.3.3
// (Run), and is the HTTP client that such tests need: one that sees the bytes of an answer as they come. The tests of
// package sockjs and of the conformance broker call it; nothing else does.
package sockjstest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// patience is how long a test waits for what must happen; it judges no speed.
const patience = 20 * time.Second

// Site is a running server, and where a test puts its questions.
type Site struct {
	t    testing.TB
	Addr string
}

// NewSite is the server at host:port.
func NewSite(t testing.TB, addr string) *Site { return &Site{t: t, Addr: addr} }

var lastSession atomic.Int64

// Session is the path of a fresh session of a service.
func Session(service string) string {
	return fmt.Sprintf("%s/000/s%d-%d", service, time.Now().UnixNano(), lastSession.Add(1))
}

// Reply is an answer whose body is read chunk by chunk, as it was sent.
type Reply struct {
	t      testing.TB
	conn   net.Conn
	br     *bufio.Reader
	proto  string
	Status int
	Header textproto.MIMEHeader
}

// Start sends a request on a connection of its own and reads the header of the answer. Headers are key, value, …
func (s *Site) Start(method, path, body string, headers ...string) *Reply {
	s.t.Helper()
	r := s.begin(method, path, "HTTP/1.1", body, headers...)
	r.readHeader()
	return r
}

// begin only sends.
func (s *Site) begin(method, path, proto, body string, headers ...string) *Reply {
	s.t.Helper()
	c, err := new(net.Dialer).DialContext(s.t.Context(), "tcp", s.Addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	r := &Reply{t: s.t, conn: c, br: bufio.NewReader(c)}
	r.request(method, path, proto, body, headers...)
	return r
}

func (r *Reply) request(method, path, proto, body string, headers ...string) {
	r.t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s %s\r\nHost: %s\r\n", method, path, proto, r.conn.RemoteAddr())
	for pair := range slices.Chunk(headers, 2) {
		fmt.Fprintf(&text, "%s: %s\r\n", pair[0], pair[1])
	}
	if method == http.MethodPost {
		fmt.Fprintf(&text, "Content-Length: %d\r\n", len(body))
	}
	if _, err := io.WriteString(r.conn, text.String()+"\r\n"+body); err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
}

func (r *Reply) readHeader() {
	r.t.Helper()
	text := textproto.NewReader(r.br)
	line, err := text.ReadLine()
	if err != nil {
		r.t.Fatalf("no answer: %v", err)
	}
	fields := strings.SplitN(line, " ", 3)
	r.proto = fields[0]
	if r.Status, err = strconv.Atoi(fields[1]); err != nil {
		r.t.Fatalf("the answer begins with %q", line)
	}
	if r.Header, err = text.ReadMIMEHeader(); err != nil {
		r.t.Fatalf("header of the answer: %v", err)
	}
}

// Chunk reads the next chunk; "" is the end.
func (r *Reply) Chunk() string {
	r.t.Helper()
	if r.Header.Get("Transfer-Encoding") != "chunked" {
		r.t.Fatalf("the answer is not chunked: %d %v", r.Status, r.Header)
	}
	line, err := r.br.ReadString('\n')
	if err != nil {
		r.t.Fatalf("read a chunk: %v", err)
	}
	size, err := strconv.ParseInt(strings.TrimSpace(line), 16, 32)
	if err != nil {
		r.t.Fatalf("size of a chunk: %v", err)
	}
	p := make([]byte, size+2)
	if _, err := io.ReadFull(r.br, p); err != nil {
		r.t.Fatalf("read a chunk: %v", err)
	}
	return string(p[:size])
}

// Body reads all of the answer.
func (r *Reply) Body() string {
	r.t.Helper()
	if r.Header.Get("Transfer-Encoding") == "chunked" {
		var all strings.Builder
		for p := r.Chunk(); p != ""; p = r.Chunk() {
			all.WriteString(p)
		}
		return all.String()
	}
	n, err := strconv.Atoi(r.Header.Get("Content-Length"))
	if err != nil {
		n = 0
	}
	return r.read(n)
}

func (r *Reply) read(n int) string {
	r.t.Helper()
	p := make([]byte, n)
	if _, err := io.ReadFull(r.br, p); err != nil {
		r.t.Fatalf("read %d bytes: %v", n, err)
	}
	return string(p)
}

// closed wants the server to have closed the connection.
func (r *Reply) closed() {
	r.t.Helper()
	if b, err := r.br.ReadByte(); !errors.Is(err, io.EOF) {
		r.t.Errorf("the connection goes on with %q, %v", b, err)
	}
}

// Close hangs up.
func (r *Reply) Close() { _ = r.conn.Close() }

// Do makes a request and reads all of the answer.
func (s *Site) Do(method, path, body string, headers ...string) (*Reply, string) {
	s.t.Helper()
	r := s.Start(method, path, body, headers...)
	defer r.Close()
	return r, r.Body()
}

// Want is Do, with what has to come back.
func (s *Site) Want(status int, body, method, path, sent string, headers ...string) *Reply {
	s.t.Helper()
	r, got := s.Do(method, path, sent, headers...)
	if r.Status != status || got != body {
		s.t.Fatalf("%s %s: %d %.200q, want %d %.200q", method, path, r.Status, got, status, body)
	}
	return r
}

// Poll makes an xhr request with an answer that has to be this.
func (s *Site) Poll(url, body string, headers ...string) *Reply {
	s.t.Helper()
	return s.Want(200, body, "POST", url+"/xhr", "", headers...)
}

// Post sends messages.
func (s *Site) Post(url, messages string, headers ...string) *Reply {
	s.t.Helper()
	return s.Want(204, "", "POST", url+"/xhr_send", messages, headers...)
}

// Dial opens a WebSocket.
func (s *Site) Dial(path string) *websocket.Conn {
	s.t.Helper()
	c, _, err := websocket.Dial( //nolint:bodyclose // it needs no closing there
		s.t.Context(), "ws://"+s.Addr+path, nil)
	if err != nil {
		s.t.Fatalf("dial %s: %v", path, err)
	}
	s.t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

// Recv wants the next message to be this.
func Recv(t testing.TB, c *websocket.Conn, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, got, err := c.Read(ctx)
	if err != nil || string(got) != want {
		t.Fatalf("received %q, %v; want %q", got, err, want)
	}
}

// recvEnd wants the connection to end.
func recvEnd(t testing.TB, c *websocket.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, got, err := c.Read(ctx); err == nil {
		t.Fatalf("received %q, want the end", got)
	} else if ctx.Err() != nil {
		t.Fatal("the connection does not end")
	}
}

func send(t testing.TB, c *websocket.Conn, message string) {
	t.Helper()
	if err := c.Write(context.Background(), websocket.MessageText, []byte(message)); err != nil {
		t.Fatal(err)
	}
}
