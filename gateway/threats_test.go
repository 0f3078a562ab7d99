package gateway_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/fliliy/chat/gateway/config"
	"github.com/fliliy/chat/gateway/internal/stomp"
)

// socketPaths are all that open, or belong to, a connection of a client.
var socketPaths = []string{
	"/ws", "/ws/websocket", "/ws/info", "/ws/iframe.html", "/ws/000/threat01/websocket", "/ws/000/threat01/xhr",
	"/ws/000/threat01/xhr_send", "/ws/000/threat01/xhr_streaming", "/ws/000/threat01/eventsource",
	"/ws/000/threat01/htmlfile", "/ws/000/threat01/jsonp", "/ws/000/threat01/jsonp_send",
}

// evilOrigins are none of the rig's, which lists https://good.example.
func (r *rig) evilOrigins() []string {
	return []string{
		"https://evil.example", "null", "https://good.example.evil", "http://good.example", "HTTPS://GOOD.EXAMPLE",
		"https://good.example.", "https://good.example:443", "https://good.example/", "http://" + r.Addr() + ".evil.example",
		"http://127.0.0.1", "file://", "",
	}
}

// upgrading makes a request that asks for a WebSocket, with headers besides.
func (r *rig) upgrading(method, path string, header map[string]string) (*http.Response, string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.Addr()+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for key, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		request.Header.Set(key, value)
	}
	for key, value := range header {
		request.Header[key] = []string{value}
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	response, err := client.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode == http.StatusSwitchingProtocols {
		return response, ""
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response, string(body)
}

// RELIABILITY row 1, cross-site WebSocket hijacking: a page of another site is refused at every door, whatever token it
// has, before there is a session; cookies are no tokens.
func TestThreat01Origins(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.Origins = []string{"https://good.example"}
	r.cfg.SockJS.JSONP, r.cfg.SockJS.HTMLFile, r.cfg.SockJS.ClientURL = true, true, "/sockjs.js"
	r.start()
	token := r.token("alice")
	for _, path := range socketPaths {
		method := http.MethodGet
		if strings.HasSuffix(path, "xhr") || strings.HasSuffix(path, "_send") || strings.HasSuffix(path, "_streaming") {
			method = http.MethodPost
		}
		for _, from := range r.evilOrigins() {
			response, body := r.upgrading(method, path+"?c=f&token="+token, map[string]string{
				"Origin": from, "Authorization": "Bearer " + token,
			})
			if response.StatusCode != http.StatusForbidden || !strings.Contains(body, `"FORBIDDEN"`) {
				t.Errorf("%s %s from %q: %d %.80s, want 403", method, path, from, response.StatusCode, body)
			}
			if allowed := response.Header.Get("Access-Control-Allow-Origin"); allowed != "" {
				t.Errorf("%s from %q: pages of %s may read the answer", path, from, allowed)
			}
		}
	}
	_, metrics := r.ask(http.MethodGet, "http://"+r.AdminAddr()+"/metrics")
	for _, want := range []string{
		"fliliy_gateway_connections 0\n", "fliliy_gateway_sessions_total 0\n", "fliliy_gateway_sockjs_sessions 0\n",
		`fliliy_gateway_limited_total{reason="origin"} 144` + "\n",
	} {
		if !strings.Contains(metrics+"\n", want) {
			t.Errorf("the metrics lack %q", want)
		}
	}
	for _, from := range []string{"https://good.example", "http://" + r.Addr(), "https://" + r.Addr()} {
		if response, body := r.upgrading(http.MethodGet, "/ws", map[string]string{"Origin": from}); response.StatusCode != 101 {
			t.Errorf("from %s: %d %s, want 101", from, response.StatusCode, body)
		}
	}
}

// Without the header, which browsers leave out of no WebSocket handshake, whoever connects has to show a token of her
// own: no cookie, nor anything else that a browser adds by itself, is one.
func TestThreat01CookiesAreNoTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	token := r.token("alice")
	for name, header := range map[string]http.Header{
		"a cookie": {"Cookie": {"token=" + token + "; Authorization=Bearer " + token + "; access_token=" + token}},
		"basic":    {"Authorization": {"Basic " + token}},
	} {
		for _, path := range []string{"/ws", "/ws/websocket"} {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			//nolint:bodyclose // a successful upgrade has no body
			conn, _, err := websocket.Dial(ctx, "ws://"+r.Addr()+path, &websocket.DialOptions{HTTPHeader: header})
			if err != nil {
				t.Fatalf("%s on %s: %v", name, path, err)
			}
			defer func() { _ = conn.CloseNow() }()
			c := &client{t: t, ws: conn, decoder: stomp.NewDecoder(stomp.DefaultLimits)}
			c.send("CONNECT\naccept-version:1.2\n\n")
			if f := c.next(); f.Command != stomp.CmdError || f.Header.Get("code") != "UNAUTHENTICATED" {
				t.Errorf("%s on %s: the answer to CONNECT is %s %v, want UNAUTHENTICATED", name, path, f.Command, f.Header)
			}
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.Addr()+"/api/v1/chat-rooms", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header = header
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s on REST: %d, want 401", name, response.StatusCode)
		}
	}
}

// RELIABILITY row 37 on the whole gateway: the list of origins holds for REST, and an answer that asks to slow down can
// be read by the pages that may read others.
func TestThreat37CORS(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.Origins = []string{"https://good.example"}
	r.start()
	for from, c := range map[string]struct {
		status  int
		allowed string
	}{
		"https://good.example": {401, "https://good.example"}, "https://evil.example": {403, ""}, "null": {403, ""},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions} {
			request, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.Addr()+"/api/v1/chat-rooms", nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Origin", from)
			status := c.status
			if method == http.MethodOptions {
				request.Header.Set("Access-Control-Request-Method", "PATCH")
				if status == 401 {
					status = 204
				}
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			header := response.Header
			if response.StatusCode != status || header.Get("Access-Control-Allow-Origin") != c.allowed {
				t.Errorf("%s from %s: %d, allowed origin %q; want %d %q", method, from, response.StatusCode,
					header.Get("Access-Control-Allow-Origin"), status, c.allowed)
			}
			if !strings.Contains(strings.Join(header.Values("Vary"), ","), "Origin") {
				t.Errorf("%s from %s: Vary is %q", method, from, header.Values("Vary"))
			}
		}
	}
}

// RELIABILITY row 33, the other way round: a page of another site cannot use up the guesses of its visitors' addresses.
func TestThreat33RequestsWithoutTokenAreNoGuesses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.Rates = config.Rates{BadTokens: config.Rate{PerSecond: 0.001, Burst: 1}}
	r.start()
	for range 5 {
		if status, _ := r.ask(http.MethodGet, "http://"+r.Addr()+"/api/v1/chat-rooms"); status != http.StatusUnauthorized {
			t.Errorf("without a token: %d, want 401", status)
		}
	}
	for _, want := range []int{401, 429} {
		if status, _ := r.ask(http.MethodGet, "http://"+r.Addr()+"/ws/000/guess/eventsource?token=x"); status != want {
			t.Errorf("with a bad token: %d, want %d", status, want)
		}
	}
}

// RELIABILITY row 39, odd HTTP: each is answered with a 4xx (or cut), whatever the path, and the process lives on.
func TestThreat39OddRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for _, c := range []struct{ name, request string }{
		{"upgrade by POST", "POST /ws HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n" + upgrade + "\r\n"},
		{"upgrade by HEAD", "HEAD /ws HTTP/1.1\r\nHost: x\r\n" + upgrade + "\r\n"},
		{"upgrade by CONNECT", "CONNECT /ws HTTP/1.1\r\nHost: x\r\n" + upgrade + "\r\n"},
		{"upgrade of /ws/info", "GET /ws/info HTTP/1.1\r\nHost: x\r\n" + upgrade + "\r\n"},
		{"upgrade of xhr", "POST /ws/000/threat39/xhr HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n" + upgrade + "\r\n"},
		{"upgrade of eventsource", "GET /ws/000/threat39/eventsource HTTP/1.1\r\nHost: x\r\n" + upgrade + "\r\n"},
		{"upgrade of REST", "GET /api/v1/chat-rooms HTTP/1.1\r\nHost: x\r\n" + upgrade + "\r\n"},
		{"upgrade with a body", "GET /ws HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n" + upgrade + "\r\nbody"},
		{"upgrade with a chunked body", "GET /ws HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + upgrade + "\r\n4\r\nbody\r\n0\r\n\r\n"},
		{"upgrade twice", "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n" + upgrade + "\r\n"},
		{"upgrade to two protocols", "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n" + upgrade + "\r\n"},
		{"upgrade by HTTP/1.0", "GET /ws HTTP/1.0\r\nHost: x\r\n" + upgrade + "\r\n"},
		{"upgrade to h2c", "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"},
		{"HTTP/2 with prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"},
		{"two lengths", "POST /api/v1/chat-rooms HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"},
		{"length and chunks", "POST /api/v1/chat-rooms HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"an unknown encoding", "POST /api/v1/chat-rooms HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\nhello"},
		{"no host", "GET /ws HTTP/1.1\r\n" + upgrade + "\r\n"},
		{"two hosts", "GET /ws HTTP/1.1\r\nHost: x\r\nHost: y\r\n" + upgrade + "\r\n"},
		{"a space before the colon", "GET /ws HTTP/1.1\r\nHost : x\r\n" + upgrade + "\r\n"},
		{"a folded header", "GET /ws HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\nX: \x01\r\n\r\n"},
		{"no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n"},
		{"a STOMP frame", "CONNECT\naccept-version:1.2\n\n\x00\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status := r.raw(c.request)
			if status < 400 || status > 499 && status != http.StatusNotImplemented && status != http.StatusHTTPVersionNotSupported {
				t.Errorf("status %d, want 4xx (501 for an encoding, 505 for a version)", status)
			}
		})
	}
	if got, _ := r.ask(http.MethodGet, "http://"+r.Addr()+"/healthz"); got != http.StatusOK {
		t.Errorf("healthz answers %d after all that", got)
	}
	r.connect("alice").send("DISCONNECT\n\n")
}

// raw sends bytes on a connection of its own and returns the status of the answer.
func (r *rig) raw(request string) int {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.Addr())
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		r.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		r.t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		r.t.Fatalf("read the answer to %.60q: %v", request, err)
	}
	defer response.Body.Close()
	return response.StatusCode
}
