package sockjs_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/fliliy/chat/gateway/internal/transport"
	"github.com/fliliy/chat/gateway/internal/transport/sockjs"
	"github.com/fliliy/chat/gateway/internal/transport/sockjs/sockjstest"
	"github.com/fliliy/chat/gateway/internal/transport/transporttest"
)

const maxMessage = 100_000

// accepting is a service whose connections the test serves by itself.
func accepting(t *testing.T, opts sockjs.Options) (*sockjstest.Site, <-chan conn) {
	t.Helper()
	conns := make(chan conn, 16)
	done := make(chan struct{})
	opts.Prefix = "/ws"
	opts.Features.JSONP, opts.Features.HTMLFile = true, true
	s := serveHTTP(t, service(func(c conn, _ transport.Handshake) {
		conns <- c
		<-done
	}, opts))
	t.Cleanup(func() { close(done) })
	return s, conns
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, w := range []string{"xhr", "xhr_streaming", "eventsource", "htmlfile", "jsonp"} {
		t.Run(w, func(t *testing.T) {
			t.Parallel()
			features := transporttest.Features{MaxMessage: maxMessage}
			transporttest.Exercise(t, features, func(t *testing.T) (transporttest.Conn, transporttest.Peer) {
				t.Helper()
				s, conns := accepting(t, sockjs.Options{Tuning: sockjs.Tuning{MaxMessage: maxMessage}})
				peer := newHTTPPeer(t, s, w)
				return <-conns, peer
			})
		})
	}
	t.Run("websocket", func(t *testing.T) {
		t.Parallel()
		features := transporttest.Features{MaxMessage: maxMessage, ClientCloseCodes: true}
		transporttest.Exercise(t, features, func(t *testing.T) (transporttest.Conn, transporttest.Peer) {
			t.Helper()
			s, conns := accepting(t, sockjs.Options{})
			peer := &wsPeer{Conn: s.Dial(sockjstest.Session("/ws") + "/websocket")}
			peer.SetReadLimit(-1)
			sockjstest.Recv(t, peer.Conn, "o")
			return <-conns, peer
		})
	})
}

// httpPeer is a client over HTTP requests: one that waits for messages at all times, and one for each message.
type httpPeer struct {
	t      *testing.T
	url    string
	way    string
	client *http.Client
	ctx    context.Context
	cut    context.CancelFunc
	frames chan string // closed when nothing more comes
	opened chan struct{}

	queue []string
	end   error
}

func newHTTPPeer(t *testing.T, s *sockjstest.Site, way string) *httpPeer {
	t.Helper()
	p := &httpPeer{
		t: t, url: "http://" + s.Addr + sockjstest.Session("/ws"), way: way, client: &http.Client{Transport: &http.Transport{}},
		frames: make(chan string, 100_000), opened: make(chan struct{}),
	}
	p.ctx, p.cut = context.WithCancel(context.Background())
	t.Cleanup(p.cut)
	go p.receiveAll()
	<-p.opened
	return p
}

// receiveAll asks for messages until the session is over.
func (p *httpPeer) receiveAll() {
	defer close(p.frames)
	for p.ctx.Err() == nil {
		if err := p.receiveSome(); err != nil {
			return
		}
	}
}

var errOver = errors.New("the session is over")

// receiveSome makes one request and hands on the frames of its answer.
func (p *httpPeer) receiveSome() error {
	method := http.MethodGet
	if strings.HasPrefix(p.way, "xhr") {
		method = http.MethodPost
	}
	response, err := p.do(method, p.url+"/"+p.way+"?c=parent.call", "", "")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	for lines := bufio.NewReaderSize(response.Body, 1<<20); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if frame := p.unwrap(strings.TrimRight(line, "\r\n")); frame != "" {
			if err := p.take(frame); err != nil {
				return err
			}
		}
	}
}

// unwrap finds the frame in a line of an answer.
func (p *httpPeer) unwrap(line string) string {
	switch p.way {
	case "eventsource":
		frame, _ := strings.CutPrefix(line, "data: ")
		return frame
	case "htmlfile", "jsonp":
		before, quoted := "p(", ""
		if p.way == "jsonp" {
			before = "parent.call("
		}
		quoted, is := strings.CutPrefix(line, before)
		var frame string
		if is && json.Unmarshal([]byte(strings.TrimSuffix(quoted, ");")), &frame) != nil {
			p.t.Errorf("not a call: %.200q", line)
		}
		return frame
	}
	if strings.HasPrefix(line, "hh") {
		return ""
	}
	return line
}

func (p *httpPeer) take(frame string) error {
	switch frame[0] {
	case 'o':
		close(p.opened)
	case 'a':
		p.frames <- frame
	case 'c':
		p.frames <- frame
		return errOver
	case 'h':
	default:
		p.t.Errorf("an unknown frame: %.200q", frame)
	}
	return nil
}

func (p *httpPeer) do(method, url, contentType, body string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(p.ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", contentType)
	return p.client.Do(request)
}

func (p *httpPeer) Send(message []byte) error {
	var quoted bytes.Buffer
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode([]string{string(message)}); err != nil {
		return err
	}
	path, contentType, body := "/xhr_send", "text/plain", quoted.String()
	if p.way == "jsonp" {
		path, contentType, body = "/jsonp_send", "application/x-www-form-urlencoded", url.Values{"d": {body}}.Encode()
	}
	response, err := p.do(http.MethodPost, p.url+path, contentType, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}

func (p *httpPeer) Receive() ([]byte, error) {
	for len(p.queue) == 0 {
		if p.end != nil {
			return nil, p.end
		}
		frame, ok := <-p.frames
		if !ok {
			p.end = errors.New("cut off")
			continue
		}
		p.end = parseFrame(frame, &p.queue)
	}
	message := p.queue[0]
	p.queue = p.queue[1:]
	return []byte(message), nil
}

// parseFrame takes an a-frame apart, or returns what a c-frame says.
func parseFrame(frame string, messages *[]string) error {
	if frame[0] == 'a' {
		return json.Unmarshal([]byte(frame[1:]), messages)
	}
	closed := &transport.ClosedError{}
	if err := json.Unmarshal([]byte(frame[1:]), &[]any{&closed.Code, &closed.Reason}); err != nil {
		return fmt.Errorf("%q: %w", frame, err)
	}
	return closed
}

// Close stops asking: over HTTP there is no other way.
func (p *httpPeer) Close(transport.CloseCode, string) error {
	p.cut()
	return nil
}

func (p *httpPeer) Cut() { p.cut() }

// wsPeer is a client of SockJS framing on a WebSocket.
type wsPeer struct {
	*websocket.Conn
	queue []string
}

func (p *wsPeer) Send(message []byte) error {
	quoted, err := json.Marshal([]string{string(message)})
	if err != nil {
		return err
	}
	return p.Write(context.Background(), websocket.MessageText, quoted)
}

func (p *wsPeer) Receive() ([]byte, error) {
	for len(p.queue) == 0 {
		_, frame, err := p.Read(context.Background())
		var closed websocket.CloseError
		if errors.As(err, &closed) {
			return nil, &transport.ClosedError{Code: transport.CloseCode(closed.Code), Reason: closed.Reason}
		}
		if err != nil {
			return nil, err
		}
		if err := parseFrame(string(frame), &p.queue); err != nil {
			_, _, _ = p.Read(context.Background()) // the WebSocket closes behind it
			return nil, err
		}
	}
	message := p.queue[0]
	p.queue = p.queue[1:]
	return []byte(message), nil
}

func (p *wsPeer) Close(code transport.CloseCode, reason string) error {
	return p.Conn.Close(websocket.StatusCode(code), reason)
}

func (p *wsPeer) Cut() { _ = p.CloseNow() }
