package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/fliliy/chat/gateway"
	"github.com/fliliy/chat/gateway/config"
)

// RELIABILITY row 33: of 1,000 bad tokens from one address no more than its rate allows are looked at; the answers do
// not tell users who are known from those who are not; nobody else notices.
func TestThreat33ThousandBadTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.Rates, r.cfg.TrustedProxies = config.DefaultRates(), []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	r.start()
	r.connect("alice") // is known; nobody-N is not
	began := time.Now()
	answers, judged := map[string]int{}, 0
	for n := range 1000 {
		user := []string{"alice", fmt.Sprint("nobody-", n)}[n%2]
		token, err := gateway.SignToken(strings.Repeat("another secret", 3), user, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		response := r.from("203.0.113.7", "/api/v1/chat-rooms", map[string]string{"Authorization": "Bearer " + token})
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		switch response.StatusCode {
		case http.StatusUnauthorized:
			judged++
			answers[string(body)]++
		case http.StatusTooManyRequests:
			if response.Header.Get("Retry-After") == "" {
				t.Fatal("429 without Retry-After")
			}
		default:
			t.Fatalf("token %d: %d %s", n, response.StatusCode, body)
		}
	}
	allowed := r.cfg.Rates.BadTokens.Burst + r.cfg.Rates.BadTokens.PerSecond*time.Since(began).Seconds() + 1
	if float64(judged) > allowed || judged == 0 {
		t.Errorf("%d of 1000 bad tokens were looked at, want at most %.0f", judged, allowed)
	}
	if len(answers) != 1 {
		t.Errorf("bad tokens have %d different answers: %v", len(answers), answers)
	}
	good, err := gateway.SignToken(secret, "alice", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{"Authorization": {"Bearer " + good}, "X-Forwarded-For": {"203.0.113.8"}}
	//nolint:bodyclose // Dial closes it
	socket, _, err := websocket.Dial(t.Context(), "ws://"+r.Addr()+"/ws", &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		t.Fatalf("another address: %v", err)
	}
	_ = socket.CloseNow()
}
