package gateway_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/fliliy/chat/gateway/config"
	"github.com/fliliy/chat/gateway/internal/stomp"
)

// from asks for a path of the public server on behalf of an address, through a proxy that is trusted.
func (r *rig) from(address, path string, header map[string]string) *http.Response {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://"+r.Addr()+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("X-Forwarded-For", address)
	for key, value := range header {
		request.Header.Set(key, value)
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

// RELIABILITY rows 32 and 33 at the door: 429 with a time to come back, for the address that has gone too far and for no
// other, and every refusal is counted by its reason.
func TestThreat32LimitsAtTheDoor(t *testing.T) {
	t.Parallel()
	bad := map[string]string{"Authorization": "Bearer x"}
	upgrade := map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	}
	slow := config.Rate{PerSecond: 0.001, Burst: 2}
	for name, c := range map[string]struct {
		rates  config.Rates
		path   string
		header map[string]string
		status int // of the first two
		reason string
	}{
		"connections": {config.Rates{AddressConnect: slow}, "/ws", upgrade, 101, "address_connect"},
		"requests":    {config.Rates{AddressRequest: slow}, "/api/v1/openapi.json", nil, 200, "address_request"},
		"bad tokens":  {config.Rates{BadTokens: slow}, "/api/v1/chat-rooms", bad, 401, "address_bad_token"},
		"bad tokens of handshakes": {
			config.Rates{BadTokens: slow}, "/ws?token=x", upgrade, 401, "address_bad_token",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.cfg.Rates, r.cfg.TrustedProxies = c.rates, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
			r.start()
			for n := range 4 {
				response := r.from("203.0.113.7", c.path, c.header)
				if n < 2 && response.StatusCode != c.status {
					t.Fatalf("request %d: %d, want %d", n+1, response.StatusCode, c.status)
				}
				if n >= 2 && (response.StatusCode != 429 || response.Header.Get("Retry-After") == "") {
					t.Errorf("request %d: %d %v, want 429 with Retry-After", n+1, response.StatusCode, response.Header)
				}
			}
			if got := r.from("203.0.113.8", c.path, c.header).StatusCode; got != c.status {
				t.Errorf("another address gets %d, want %d", got, c.status)
			}
			_, metrics := r.ask("GET", "http://"+r.AdminAddr()+"/metrics")
			if want := `fliliy_gateway_limited_total{reason="` + c.reason + `"} 2`; !strings.Contains(metrics, want) {
				t.Errorf("the metrics lack %s", want)
			}
		})
	}
}

// RELIABILITY row 38: a flood counts against the connections of its address, and of no other.
func TestThreat38FloodsCostConnects(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.Rates = config.Rates{AddressConnect: config.Rate{PerSecond: 0.001, Burst: 20}}
	r.start()
	dial := func() (*websocket.Conn, int) {
		conn, response, err := websocket.Dial(t.Context(), "ws://"+r.Addr()+"/ws", nil) //nolint:bodyclose // Dial closes it
		if response == nil {
			t.Fatal(err)
		}
		return conn, response.StatusCode
	}
	for range 2 {
		if conn, status := dial(); status != 101 {
			t.Fatalf("an honest connection: %d, want 101", status)
		} else if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
			t.Fatal(err)
		}
	}
	flood, _ := dial()
	gone := flood.CloseRead(t.Context())
	for gone.Err() == nil {
		_ = flood.Ping(gone) // until it is cut
	}
	r.eventually("the flood is over", func() bool {
		_, metrics := r.ask("GET", "http://"+r.AdminAddr()+"/metrics")
		return strings.Contains(metrics, "\nfliliy_gateway_connections 0\n")
	})
	if _, status := dial(); status != 429 {
		t.Errorf("the next connection of 20: %d, want 429", status)
	}
}

// A full node says 503, and lets the next one in once one has gone.
func TestThreat32FullNode(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.Limits.Connections = 1
	r.start()
	first := r.connect("alice")
	//nolint:bodyclose // Dial closes it
	_, response, err := websocket.Dial(t.Context(), "ws://"+r.Addr()+"/ws", nil)
	if err == nil || response == nil || response.StatusCode != 503 || response.Header.Get("Retry-After") == "" {
		t.Errorf("the second connection: %v, want 503 with Retry-After", err)
	}
	first.send("DISCONNECT\n\n")
	r.eventually("the place of the first is free", func() bool {
		ws, _, err := websocket.Dial(t.Context(), "ws://"+r.Addr()+"/ws", nil) //nolint:bodyclose // Dial closes it
		if err == nil {
			_ = ws.CloseNow()
		}
		return err == nil
	})
}

// A session over its rate is refused with the time to wait, and lives.
func TestThreat32SessionOverItsRate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.Rates = config.Rates{UserSend: config.Rate{PerSecond: 0.001, Burst: 1}}
	r.start()
	c := r.connect("alice")
	c.send("SUBSCRIBE\nid:e\ndestination:/user/queue/errors\nreceipt:s\n\n")
	c.want(stomp.CmdReceipt, "receipt-id", "s")
	for range 2 {
		c.send("SEND\ndestination:/app/chat/42/send\nreceipt:r\n\nhello")
	}
	c.want(stomp.CmdReceipt, "receipt-id", "r")
	if body := string(c.want(stomp.CmdMessage, "subscription", "e").Body); !strings.Contains(body, `"code":"RATE_LIMITED"`) ||
		strings.Contains(body, `"retryAfterMs":0`) {
		t.Errorf("the second SEND was answered with %s, want RATE_LIMITED and when to try again", body)
	}
}
