package origin_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/internal/origin"
)

const good = "https://good.example"

// request comes from an origin to chat.example; "" is none.
func request(method, from string, secure bool) *http.Request {
	r := httptest.NewRequest(method, "http://chat.example/api/v1/x", nil)
	r.TLS = nil
	if secure {
		r.TLS = &tls.ConnectionState{}
	}
	if from != "" {
		r.Header.Set("Origin", from)
	}
	return r
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, from string
		secure     bool
		listed     string
		allowed    bool
	}{
		{"none", "", false, good, true},
		{"listed", good, false, good, true},
		{"own, http", "http://chat.example", false, good, true},
		{"own, https before a proxy", "https://chat.example", false, good, true},
		{"own over TLS", "https://chat.example", true, good, true},
		{"own without TLS, at an address with it", "http://chat.example", true, good, false},
		{"other", "https://evil.example", false, good, false},
		{"null", "null", false, good, false},
		{"listed as a prefix", good + ".evil", false, good, false},
		{"listed as a suffix", "https://evilgood.example", false, good, false},
		{"other scheme", "http://good.example", false, good, false},
		{"upper case", "HTTPS://GOOD.EXAMPLE", false, good, false},
		{"trailing dot", good + ".", false, good, false},
		{"with a port", good + ":8443", false, good, false},
		{"with a path", good + "/", false, good, false},
		{"own host, other port", "http://chat.example:1", false, good, false},
		{"own host, odd scheme", "file://chat.example", false, good, false},
		{"any", "https://evil.example", false, origin.Any, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			refused := 0
			list := origin.NewList([]string{c.listed}, func() { refused++ })
			w := httptest.NewRecorder()
			if got := list.Check(w, request(http.MethodGet, c.from, c.secure)); got != c.allowed {
				t.Fatalf("allowed: %v, want %v", got, c.allowed)
			}
			if c.allowed {
				return
			}
			if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), `"FORBIDDEN"`) || refused != 1 ||
				w.Header().Get("Vary") != "Origin" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("refused with %d %v %s, counted %d times", w.Code, w.Header(), w.Body, refused)
			}
		})
	}
	twice := request(http.MethodGet, good, false)
	twice.Header.Add("Origin", "https://evil.example")
	if origin.NewList([]string{good}, nil).Check(httptest.NewRecorder(), twice) {
		t.Error("two origins are allowed, one of them evil")
	}
}

// RELIABILITY row 37: pages of the list may read answers, and are told what they may send; nobody else is told anything.
func TestThreat37CORS(t *testing.T) {
	t.Parallel()
	served := origin.NewList([]string{good}, nil).CORS(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "served")
	}))
	for _, c := range []struct {
		name, method, from string
		asks               string // headers that a preflight asks for; "" is no preflight
		status             int
		allowed            string // Access-Control-Allow-Origin
	}{
		{"listed", "GET", good, "", 200, good},
		{"no page", "GET", "", "", 200, ""},
		{"evil", "GET", "https://evil.example", "", 403, ""},
		{"null", "POST", "null", "", 403, ""},
		{"preflight", "OPTIONS", good, "authorization,content-type", 204, good},
		{"preflight of an evil page", "OPTIONS", "https://evil.example", "authorization", 403, ""},
		{"preflight for an odd header", "OPTIONS", good, "x-forwarded-for", 204, ""},
		{"preflight of no page", "OPTIONS", "", "authorization", 204, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := request(c.method, c.from, false)
			if c.asks != "" {
				r.Header.Set("Access-Control-Request-Method", "POST")
				r.Header.Set("Access-Control-Request-Headers", c.asks)
			}
			w := httptest.NewRecorder()
			served.ServeHTTP(w, r)
			header := w.Header()
			if w.Code != c.status || header.Get("Access-Control-Allow-Origin") != c.allowed {
				t.Errorf("%d, allowed origin %q; want %d %q", w.Code, header.Get("Access-Control-Allow-Origin"), c.status, c.allowed)
			}
			if header.Get("Access-Control-Allow-Credentials") != "" {
				t.Error("browsers are asked for credentials")
			}
			if !slices.ContainsFunc(header.Values("Vary"), func(v string) bool { return strings.Contains(v, "Origin") }) {
				t.Errorf("Vary is %q, want Origin in it", header.Values("Vary"))
			}
			if w.Code == http.StatusNoContent && c.allowed != "" && header.Get("Access-Control-Max-Age") != "7200" {
				t.Errorf("a preflight holds for %q seconds, want 7200", header.Get("Access-Control-Max-Age"))
			}
			if (w.Body.String() == "served") != (w.Code == http.StatusOK) {
				t.Errorf("the answer is %q", w.Body)
			}
		})
	}
}
