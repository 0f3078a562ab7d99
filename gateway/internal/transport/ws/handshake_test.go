package ws_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/origin"
	"github.com/fliliy/chat/gateway/internal/principal"
	"github.com/fliliy/chat/gateway/internal/transport/ws"
)

// RFC 6455 section 4.2.1 and RELIABILITY row 39: what is no proper handshake gets a 4xx that says why.
func TestHandshakeRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{Origins: origin.NewList([]string{"https://good.example"}, nil)})
	for _, tc := range []struct {
		name   string
		status int
		code   string
		header map[string]string
		change func(*http.Request)
	}{
		{name: "POST", status: 405, code: "INVALID", change: func(r *http.Request) { r.Method = http.MethodPost }},
		{name: "PUT", status: 405, code: "INVALID", change: func(r *http.Request) { r.Method = "PUT" }},
		{name: "no Upgrade", status: 426, code: "INVALID", header: map[string]string{"Upgrade": ""}},
		{name: "no Connection", status: 426, code: "INVALID", header: map[string]string{"Connection": ""}},
		{name: "upgrade to h2c", status: 426, code: "INVALID", header: map[string]string{"Upgrade": "h2c"}},
		{name: "Upgrade twice", status: 400, code: "INVALID", change: func(r *http.Request) {
			r.Header.Add("Upgrade", "websocket")
		}},
		{name: "no version", status: 426, code: "INVALID", header: map[string]string{"Sec-WebSocket-Version": ""}},
		{name: "version 8", status: 426, code: "INVALID", header: map[string]string{"Sec-WebSocket-Version": "8"}},
		{name: "no key", status: 400, code: "INVALID", header: map[string]string{"Sec-WebSocket-Key": ""}},
		{name: "key of 15 bytes", status: 400, code: "INVALID", header: map[string]string{"Sec-WebSocket-Key": "MTIzNDU2Nzg5MDEyMzQ1"}},
		{name: "key no base64", status: 400, code: "INVALID", header: map[string]string{"Sec-WebSocket-Key": "!"}},
		{name: "two keys", status: 400, code: "INVALID", change: func(r *http.Request) {
			r.Header.Add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
		}},
		{name: "with a body", status: 400, code: "INVALID", change: func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("body")), 4
		}},
		{name: "evil origin", status: 403, code: "FORBIDDEN", header: map[string]string{"Origin": "https://evil.example"}},
		{name: "bad token", status: 401, code: "UNAUTHENTICATED", header: map[string]string{"Authorization": "Bearer x"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			req := r.request(t, "/ws", tc.header)
			if tc.change != nil {
				tc.change(req)
			}
			resp, body := do(t, req)
			wantRefusal(t, resp, body, tc.status, tc.code)
			if got := resp.Header.Get("Sec-WebSocket-Version"); strings.Contains(tc.name, "version") && got != "13" {
				t.Errorf("Sec-WebSocket-Version = %q, want 13", got)
			}
		})
	}
}

func wantRefusal(t *testing.T, resp *http.Response, body string, status int, code string) {
	t.Helper()
	if resp.StatusCode != status {
		t.Fatalf("status %d, want %d; body %s", resp.StatusCode, status, body)
	}
	var refusal struct{ Code, Message string }
	if err := json.Unmarshal([]byte(body), &refusal); err != nil {
		t.Fatalf("body %q: %v", body, err)
	}
	if refusal.Code != code || refusal.Message == "" {
		t.Errorf("refused with %+v, want code %s and a message", refusal, code)
	}
	wantPrivate(t, resp)
}

// wantPrivate: the URL may carry a token, so neither caches nor other sites may learn it.
func wantPrivate(t *testing.T, resp *http.Response) {
	t.Helper()
	if got := resp.Header.Get("Referrer-Policy"); got != "no-referrer" {
		t.Errorf("Referrer-Policy = %q, want no-referrer", got)
	}
	if got := resp.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control = %q, want no-store", got)
	}
}

func TestHandshakeOverHTTP10(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{})
	status := statusOfRaw(t, r, "GET /ws HTTP/1.0\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if status != 400 {
		t.Errorf("status %d, want 400", status)
	}
	// An HTTP/2 client with prior knowledge begins with this line; the server must live on.
	if status := statusOfRaw(t, r, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); status < 400 || status > 505 {
		t.Errorf("status %d for an HTTP/2 preface", status)
	}
	resp, _ := do(t, r.request(t, "/ws", nil))
	if resp.StatusCode != 101 {
		t.Errorf("status %d after odd requests, want 101", resp.StatusCode)
	}
}

// RELIABILITY row 1, cross-site WebSocket hijacking: origins are compared whole and exactly.
func TestThreat01Origins(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{Origins: origin.NewList([]string{"https://good.example"}, nil)})
	open := newRig(t, ws.Options{Origins: origin.NewList([]string{origin.Any}, nil)})
	for _, tc := range []struct {
		name, origin string
		rig          *rig
		status       int
	}{
		{"none", "", r, 101},
		{"listed", "https://good.example", r, 101},
		{"own, http", r.url, r, 101},
		{"own, https before a proxy", "https://" + r.addr, r, 101},
		{"other", "https://evil.example", r, 403},
		{"null", "null", r, 403},
		{"listed as a prefix", "https://good.example.evil", r, 403},
		{"listed as a suffix", "https://evilgood.example", r, 403},
		{"other scheme", "http://good.example", r, 403},
		{"upper case", "HTTPS://GOOD.EXAMPLE", r, 403},
		{"trailing dot", "https://good.example.", r, 403},
		{"with a port", "https://good.example:8443", r, 403},
		{"with a path", "https://good.example/", r, 403},
		{"own host, other port", "http://127.0.0.1:1", r, 403},
		{"own host, odd scheme", "file://" + r.addr, r, 403},
		{"any is allowed", "https://evil.example", open, 101},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			resp, body := do(t, tc.rig.request(t, "/ws", map[string]string{"Origin": tc.origin}))
			if tc.status == 403 {
				wantRefusal(t, resp, body, 403, "FORBIDDEN")
				return
			}
			if resp.StatusCode != tc.status {
				t.Errorf("status %d, want %d; %s", resp.StatusCode, tc.status, body)
			}
		})
	}
}

func TestThreat01OriginGivenTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{})
	req := r.request(t, "/ws", map[string]string{"Origin": r.url})
	req.Header.Add("Origin", "https://evil.example")
	resp, body := do(t, req)
	wantRefusal(t, resp, body, 403, "FORBIDDEN")
}

func TestTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{Redeem: redeem})
	for _, tc := range []struct {
		name, target string
		header       map[string]string
		status       int
		code, user   string
	}{
		{name: "none", target: "/ws", status: 101},
		{name: "empty", target: "/ws?token=", status: 101},
		{name: "query", target: "/ws?token=good", status: 101, user: "alice"},
		{name: "header", target: "/ws", header: map[string]string{"Authorization": "Bearer good"}, status: 101, user: "alice"},
		{name: "header, any case", target: "/ws", header: map[string]string{"Authorization": "bearer good"}, status: 101, user: "alice"},
		{name: "header before query", target: "/ws?token=bad", header: map[string]string{"Authorization": "Bearer good"}, status: 101, user: "alice"},
		{name: "ticket", target: "/ws?ticket=t-good", status: 101, user: "alice"},
		{name: "ticket before token", target: "/ws?token=bad&ticket=t-good", status: 101, user: "alice"},
		{name: "header before ticket", target: "/ws?ticket=t-bad", header: map[string]string{"Authorization": "Bearer good"}, status: 101, user: "alice"},
		{name: "bad ticket", target: "/ws?ticket=t-bad", status: 401, code: "UNAUTHENTICATED"},
		{name: "bad ticket before token", target: "/ws?ticket=t-bad&token=good", status: 401, code: "UNAUTHENTICATED"},
		{name: "token as ticket", target: "/ws?ticket=good", status: 401, code: "UNAUTHENTICATED"},
		{name: "ticket as token", target: "/ws?token=t-good", status: 401, code: "UNAUTHENTICATED"},
		{name: "tickets away", target: "/ws?ticket=t-later", status: 503, code: "UNAVAILABLE"},
		{name: "cookie is no token", target: "/ws", header: map[string]string{"Cookie": "token=good"}, status: 101},
		{name: "another scheme is no token", target: "/ws", header: map[string]string{"Authorization": "Basic Z29vZA=="}, status: 101},
		{name: "bad query", target: "/ws?token=bad", status: 401, code: "UNAUTHENTICATED"},
		{name: "bad header", target: "/ws?token=good", header: map[string]string{"Authorization": "Bearer bad"}, status: 401, code: "UNAUTHENTICATED"},
		{name: "expired", target: "/ws?token=old", status: 401, code: "TOKEN_EXPIRED"},
		{name: "cannot tell now", target: "/ws?token=later", status: 503, code: "UNAVAILABLE"},
		{name: "fault of ours", target: "/ws?token=boom", status: 500, code: "INTERNAL"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp, body := do(t, r.request(t, tc.target, tc.header))
			if tc.status != 101 {
				wantRefusal(t, resp, body, tc.status, tc.code)
				if strings.Contains(body, "secret detail") {
					t.Error("the body shows an internal error")
				}
				if got := resp.Header.Get("WWW-Authenticate"); tc.status == 401 && got != "Bearer" {
					t.Errorf("WWW-Authenticate = %q", got)
				}
				if got := resp.Header.Get("Retry-After"); tc.status == 503 && got != "3" {
					t.Errorf("Retry-After = %q, want 3", got)
				}
				return
			}
			if resp.StatusCode != 101 {
				t.Fatalf("status %d, want 101; %s", resp.StatusCode, body)
			}
			wantPrivate(t, resp)
			h := r.accepted(t).handshake
			if h.User != tc.user || (h.User != "") != h.Expires.Equal(tokenEnd) {
				t.Errorf("handshake = %+v, want user %q", h, tc.user)
			}
			if !strings.HasPrefix(h.RemoteAddr, "127.0.0.1:") {
				t.Errorf("remote address = %q", h.RemoteAddr)
			}
			if h.User == "" && !h.Expires.IsZero() {
				t.Errorf("expires = %v without a token, want %v", h.Expires, time.Time{})
			}
		})
	}
}

// redeem takes the ticket t-X for the token X.
func redeem(ctx context.Context, ticket string) (principal.Principal, error) {
	token, ok := strings.CutPrefix(ticket, "t-")
	if !ok {
		token = "bad"
	}
	return verify(ctx, token)
}

// A request that is refused for anything else leaves the ticket as it was: it is looked at last.
func TestThreat45TicketsAreSpentLast(t *testing.T) {
	t.Parallel()
	var spent atomic.Int64
	r := newRig(t, ws.Options{Redeem: func(ctx context.Context, ticket string) (principal.Principal, error) {
		spent.Add(1)
		return redeem(ctx, ticket)
	}})
	for name, header := range map[string]map[string]string{
		"no upgrade": {"Upgrade": ""}, "evil origin": {"Origin": "https://evil.example"}, "no key": {"Sec-WebSocket-Key": ""},
	} {
		if resp, _ := do(t, r.request(t, "/ws?ticket=t-good", header)); resp.StatusCode < 400 || spent.Load() != 0 {
			t.Errorf("%s: status %d, the ticket was used %d times", name, resp.StatusCode, spent.Load())
		}
	}
	if resp, _ := do(t, r.request(t, "/ws?ticket=t-good", nil)); resp.StatusCode != 101 || spent.Load() != 1 {
		t.Errorf("status %d, the ticket was used %d times, want 101 and once", resp.StatusCode, spent.Load())
	}
}

func TestSubprotocols(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{})
	for _, tc := range []struct{ name, offered, chosen string }{
		{"stompjs offers all", "v10.stomp, v11.stomp, v12.stomp", "v12.stomp"},
		{"best first", "v12.stomp,v11.stomp", "v12.stomp"},
		{"only old ones", "v10.stomp, v11.stomp", "v11.stomp"},
		{"one", "v10.stomp", "v10.stomp"},
		{"among unknown ones", "chat, v11.stomp, mqtt", "v11.stomp"},
		{"unknown", "mqtt", ""},
		{"none", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			resp, body := do(t, r.request(t, "/ws", map[string]string{"Sec-WebSocket-Protocol": tc.offered}))
			if resp.StatusCode != 101 {
				t.Fatalf("status %d, want 101; %s", resp.StatusCode, body)
			}
			got, there := resp.Header["Sec-Websocket-Protocol"]
			if tc.chosen == "" {
				if there {
					t.Errorf("chose %q, want no header", got)
				}
				return
			}
			if len(got) != 1 || got[0] != tc.chosen {
				t.Errorf("chose %q, want %q", got, tc.chosen)
			}
		})
	}
}

// A deflate bomb (RELIABILITY row 20) has no way in: the extension is never agreed on.
func TestThreat20CompressionIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{})
	resp, _ := do(t, r.request(t, "/ws", map[string]string{"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}))
	if got := resp.Header.Get("Sec-WebSocket-Extensions"); resp.StatusCode != 101 || got != "" {
		t.Errorf("status %d, extensions %q; want 101 without", resp.StatusCode, got)
	}
}
