package sockjs_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/principal"
	"github.com/fliliy/chat/gateway/internal/transport"
	"github.com/fliliy/chat/gateway/internal/transport/sockjs"
	"github.com/fliliy/chat/gateway/internal/transport/ws"
)

// patience is how long a test waits for what must happen; it judges no speed.
const patience = 20 * time.Second

// conn is what sessions see of a connection.
type conn interface {
	Read(ctx context.Context) ([]byte, error)
	Write(ctx context.Context, messages [][]byte) error
	Close(code transport.CloseCode, reason string) error
}

// echo sends back what comes, message by message.
func echo(c conn) {
	for {
		message, err := c.Read(context.Background())
		if err != nil || c.Write(context.Background(), [][]byte{message}) != nil {
			return
		}
	}
}

// goAway closes at once, as the public suite's service does.
func goAway(c conn) { _ = c.Close(3000, "Go away!") }

// verify knows the tokens of alice and bob.
func verify(_ context.Context, token string) (principal.Principal, error) {
	if user, ok := strings.CutPrefix(token, "token-of-"); ok {
		return principal.Principal{User: user}, nil
	}
	return principal.Principal{}, &event.Error{Code: event.Unauthenticated, Message: "the token is not valid"}
}

// service makes one SockJS service, with WebSockets of package ws, as gateways do.
func service(serve func(c conn, h transport.Handshake), opts sockjs.Options) *sockjs.Handler {
	quiet := slog.New(slog.DiscardHandler)
	wsOptions := ws.Options{Verify: verify, Logger: quiet}
	if opts.Features.AnyOrigin {
		wsOptions.Origins = []string{"*"}
	}
	checks := ws.NewChecks(wsOptions)
	opts.Admit, opts.CheckOrigin = checks.Token, checks.Origin
	opts.Logger = quiet
	opts.Serve = func(_ context.Context, c *sockjs.Conn, h transport.Handshake) { serve(c, h) }
	wsOptions.Serve = func(_ context.Context, c *ws.Conn, h ws.Handshake) { serve(c, h) }
	opts.Raw = ws.Handler(wsOptions)
	wsOptions.MaxMessage = sockjs.FrameLimit(maxMessage)
	wsOptions.Serve = func(ctx context.Context, c *ws.Conn, h ws.Handshake) {
		if framed, err := sockjs.Frame(ctx, c, maxMessage); err == nil {
			serve(framed, h)
			_ = framed.Close(transport.CloseNormal, "")
		}
	}
	if opts.Prefix != wsOffURL {
		opts.WebSocket = ws.Handler(wsOptions)
	}
	return sockjs.New(opts)
}

// site is a running HTTP server.
type site struct {
	t    testing.TB
	addr string
}

func serveHTTP(t testing.TB, handler http.Handler) *site {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return &site{t: t, addr: server.Listener.Addr().String()}
}

var lastSession atomic.Int64

// session is the path of a fresh session of a service.
func session(service string) string {
	return fmt.Sprintf("%s/000/s%d-%d", service, time.Now().UnixNano(), lastSession.Add(1))
}

// reply is an answer whose body is read chunk by chunk, as it was sent.
type reply struct {
	t      testing.TB
	conn   net.Conn
	br     *bufio.Reader
	proto  string
	status int
	header textproto.MIMEHeader
}

// start sends a request on a connection of its own and reads the header of the answer. Headers are key, value, …
func (s *site) start(method, path, body string, headers ...string) *reply {
	s.t.Helper()
	r := s.begin(method, path, "HTTP/1.1", body, headers...)
	r.readHeader()
	return r
}

// begin only sends.
func (s *site) begin(method, path, proto, body string, headers ...string) *reply {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	r := &reply{t: s.t, conn: c, br: bufio.NewReader(c)}
	r.request(method, path, proto, body, headers...)
	return r
}

func (r *reply) request(method, path, proto, body string, headers ...string) {
	r.t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s %s\r\nHost: %s\r\n", method, path, proto, r.conn.RemoteAddr())
	for i := 0; i < len(headers); i += 2 {
		fmt.Fprintf(&text, "%s: %s\r\n", headers[i], headers[i+1])
	}
	if method == http.MethodPost {
		fmt.Fprintf(&text, "Content-Length: %d\r\n", len(body))
	}
	if _, err := io.WriteString(r.conn, text.String()+"\r\n"+body); err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
}

func (r *reply) readHeader() {
	r.t.Helper()
	text := textproto.NewReader(r.br)
	line, err := text.ReadLine()
	if err != nil {
		r.t.Fatalf("no answer: %v", err)
	}
	fields := strings.SplitN(line, " ", 3)
	r.proto = fields[0]
	if r.status, err = strconv.Atoi(fields[1]); err != nil {
		r.t.Fatalf("the answer begins with %q", line)
	}
	if r.header, err = text.ReadMIMEHeader(); err != nil {
		r.t.Fatalf("header of the answer: %v", err)
	}
}

// chunk reads the next chunk; "" is the end.
func (r *reply) chunk() string {
	r.t.Helper()
	if r.header.Get("Transfer-Encoding") != "chunked" {
		r.t.Fatalf("the answer is not chunked: %d %v", r.status, r.header)
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

// body reads all of the answer.
func (r *reply) body() string {
	r.t.Helper()
	if r.header.Get("Transfer-Encoding") == "chunked" {
		var all strings.Builder
		for p := r.chunk(); p != ""; p = r.chunk() {
			all.WriteString(p)
		}
		return all.String()
	}
	n, err := strconv.Atoi(r.header.Get("Content-Length"))
	if err != nil {
		n = 0
	}
	return r.read(n)
}

func (r *reply) read(n int) string {
	r.t.Helper()
	p := make([]byte, n)
	if _, err := io.ReadFull(r.br, p); err != nil {
		r.t.Fatalf("read %d bytes: %v", n, err)
	}
	return string(p)
}

// closed wants the server to have closed the connection.
func (r *reply) closed() {
	r.t.Helper()
	if b, err := r.br.ReadByte(); !errors.Is(err, io.EOF) {
		r.t.Errorf("the connection goes on with %q, %v", b, err)
	}
}

func (r *reply) close() { _ = r.conn.Close() }

// do makes a request and reads all of the answer.
func (s *site) do(method, path, body string, headers ...string) (*reply, string) {
	s.t.Helper()
	r := s.start(method, path, body, headers...)
	defer r.close()
	return r, r.body()
}

// want is do, with what has to come back.
func (s *site) want(status int, body, method, path, sent string, headers ...string) *reply {
	s.t.Helper()
	r, got := s.do(method, path, sent, headers...)
	if r.status != status || got != body {
		s.t.Fatalf("%s %s: %d %.200q, want %d %.200q", method, path, r.status, got, status, body)
	}
	return r
}

// poll makes an xhr request with an answer that has to be this.
func (s *site) poll(url, body string, headers ...string) *reply {
	s.t.Helper()
	return s.want(200, body, "POST", url+"/xhr", "", headers...)
}

// post sends messages.
func (s *site) post(url, messages string, headers ...string) *reply {
	s.t.Helper()
	return s.want(204, "", "POST", url+"/xhr_send", messages, headers...)
}

// dial opens a WebSocket.
func (s *site) dial(path string) *websocket.Conn {
	s.t.Helper()
	c, _, err := websocket.Dial(s.t.Context(), "ws://"+s.addr+path, nil)
	if err != nil {
		s.t.Fatalf("dial %s: %v", path, err)
	}
	s.t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

func recv(t testing.TB, c *websocket.Conn, want string) {
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
