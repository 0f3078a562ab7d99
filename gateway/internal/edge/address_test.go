package edge_test

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"

	"github.com/fliliy/chat/gateway/internal/edge"
)

// Only proxies that are trusted say where a client is, and only about whom they heard from.
func TestForwardedFor(t *testing.T) {
	t.Parallel()
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		_, _ = io.WriteString(w, host)
	})
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	for name, c := range map[string]struct {
		trusted []netip.Prefix
		header  []string
		want    string
	}{
		"nobody is trusted":       {nil, []string{"203.0.113.7"}, "127.0.0.1"},
		"another one is trusted":  {loopback[1:], []string{"203.0.113.7"}, "127.0.0.1"},
		"one proxy":               {loopback, []string{"203.0.113.7"}, "203.0.113.7"},
		"two proxies":             {loopback, []string{"203.0.113.7, 10.0.0.1"}, "203.0.113.7"},
		"two headers":             {loopback, []string{"203.0.113.7", "10.0.0.1"}, "203.0.113.7"},
		"invented by the client":  {loopback, []string{"1.1.1.1, 203.0.113.7"}, "203.0.113.7"},
		"IPv6":                    {loopback, []string{"2001:db8::1"}, "2001:db8::1"},
		"mapped":                  {loopback, []string{"203.0.113.7, ::ffff:10.0.0.1"}, "203.0.113.7"},
		"no header":               {loopback, nil, "127.0.0.1"},
		"nonsense":                {loopback, []string{"unknown"}, "127.0.0.1"},
		"nonsense before a proxy": {loopback, []string{"<script>, 10.0.0.1"}, "10.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, edge.Options{Addr: "127.0.0.1:0", Web: echo, TrustedProxies: c.trusted})
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.Addr()+"/", nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header["X-Forwarded-For"] = c.header
			if _, got := answer(t, request); got != c.want {
				t.Errorf("the client is at %q, want %q", got, c.want)
			}
		})
	}
}
