package gateway_test

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/config"
)

// answer asks for a path just as it stands, with a token or none.
func answer(t *testing.T, addr, method, path, token string) (int, http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.URL.Opaque = path
	if token != "" {
		request.Header.Set("Authorization", token)
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode, response.Header
}

// RELIABILITY row 35: what operators have is not on the public address, however it is spelled, nor by any method.
func TestThreat35NothingForOperatorsInPublic(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	for _, path := range []string{
		"/metrics", "/metrics/", "/debug", "/debug/pprof", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline",
		"/drain", "/drain/", "/METRICS", "/%6detrics", "/debug/vars", "/admin", "/actuator", "/env", "/config",
		"/api/v1/metrics", "/api/metrics", "/ws/metrics", "/.git/config", "/.env", "/go.mod",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT"} {
			status, _ := answer(t, r.Addr(), method, path, "")
			if status != http.StatusNotFound && status != http.StatusMethodNotAllowed && status != http.StatusUnauthorized {
				t.Errorf("%s %s: %d, want 404", method, path, status)
			}
			if status == http.StatusUnauthorized && !strings.HasPrefix(path, "/api/v1/") {
				t.Errorf("%s %s: 401, as if there were something", method, path)
			}
		}
	}
	// Paths that a server may tidy lead nowhere either.
	for _, path := range []string{"/./metrics", "/x/../metrics", "/ws/../metrics", "/ws/..%2fmetrics", "/debug//pprof/"} {
		status, header := answer(t, r.Addr(), "GET", path, "")
		location := header.Get("Location")
		if status/100 == 3 {
			status, _ = answer(t, r.Addr(), "GET", location, "")
		}
		if status != http.StatusNotFound && status != http.StatusBadRequest {
			t.Errorf("GET %s (%s): %d, want 404", path, location, status)
		}
	}
	if status, _ := answer(t, r.AdminAddr(), "GET", "/metrics", ""); status != http.StatusOK {
		t.Errorf("the admin address has no metrics: %d", status)
	}
	if _, body := r.ask("GET", "http://"+r.Addr()+"/readyz"); body != `{"ready":true}` {
		t.Errorf("the public readiness says %s", body)
	}
}

func TestThreat35AdminIsLocalByDefault(t *testing.T) {
	t.Parallel()
	host, _, err := net.SplitHostPort(config.Default().AdminAddr)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		t.Errorf("the admin address is %s by default, want a loopback address", config.Default().AdminAddr)
	}
}

// With an admin token nothing but "alive" is told without it, and nobody can drain.
func TestThreat35AdminToken(t *testing.T) {
	t.Parallel()
	token := strings.Repeat("0123456789abcdef", 2)
	r := newRig(t)
	r.cfg.AdminToken = token
	r.start()
	for _, ask := range []struct{ method, path string }{
		{"GET", "/metrics"},
		{"GET", "/readyz"},
		{"GET", "/debug/pprof/cmdline"},
		{"GET", "/debug/pprof/"},
		{"GET", "/nothing"},
		{"GET", "/healthz/../metrics"},
		{"POST", "/drain"},
	} {
		for name, shown := range map[string]string{
			"none": "", "empty": "Bearer ", "wrong": "Bearer " + token[1:] + "x", "a part": "Bearer " + token[:31],
			"more": "Bearer " + token + "0", "another scheme": "Basic " + token, "no scheme": token,
		} {
			if status, header := answer(t, r.AdminAddr(), ask.method, ask.path, shown); status != http.StatusUnauthorized ||
				header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s %s with the token %s: %d, want 401", ask.method, ask.path, name, status)
			}
		}
	}
	if status, _ := answer(t, r.AdminAddr(), "GET", "/healthz", ""); status != http.StatusOK {
		t.Errorf("/healthz without a token: %d, want 200", status)
	}
	if status, _ := answer(t, r.Addr(), "GET", "/readyz", ""); status != http.StatusOK {
		t.Errorf("the public /readyz: %d: is it draining?", status)
	}
	if status, _ := answer(t, r.AdminAddr(), "GET", "/metrics", "Bearer "+token); status != http.StatusOK {
		t.Errorf("/metrics with the token: %d, want 200", status)
	}
	if status, _ := answer(t, r.AdminAddr(), "POST", "/drain", "bearer "+token); status != http.StatusAccepted {
		t.Errorf("/drain with the token: %d, want 202", status)
	}
}
