package edge_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/internal/edge"
)

// RELIABILITY row 2: a credential in a URL reaches /ws alone, and no redirect or handler repeats it elsewhere.
func TestThreat02CredentialsInURLs(t *testing.T) {
	t.Parallel()
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=3600")
		_, _ = io.WriteString(w, r.URL.String()+" "+r.RequestURI)
	})
	r := start(t, edge.Options{WS: echo, REST: echo, Web: echo})
	for path, want := range map[string]string{ // what the handler sees
		"/ws?token=s3cret&x=1":                  "/ws?token=s3cret&x=1",
		"/ws/0/1/xhr?ticket=s3cret":             "/ws/0/1/xhr?ticket=s3cret",
		"/?token=s3cret":                        "/",
		"/page?a=1&ticket=s3cret&token=s3cret2": "/page?a=1",
		"/page?%74oken=s3cret":                  "/page",
		"/page?token=s3cret&%zz":                "/page",
		"/page?a=1;token=s3cret":                "/page",
		"/api/v1/x?pageToken=p&token=s3cret":    "/api/v1/x?pageToken=p",
		"/api/v1/x?pageToken=p":                 "/api/v1/x?pageToken=p",
		"/page?a=%41":                           "/page?a=%41",
		"/x/../page?token=s3cret":               "", // a redirect
		"/api//v1/x?ticket=s3cret":              "",
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.Addr()+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.URL.Opaque = path
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if seen := want + " " + want; want != "" && string(body) != seen {
			t.Errorf("%s: the handler sees %q, want %q", path, body, seen)
		}
		if strings.Contains(response.Header.Get("Location")+string(body), "s3cret") && !strings.HasPrefix(path, "/ws") {
			t.Errorf("%s: the answer repeats the credential: %s %s", path, response.Header.Get("Location"), body)
		}
		cached := response.Header.Get("Cache-Control") != "no-store"
		if strings.Contains(path, "s3cret") && cached || response.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: Cache-Control %q, Referrer-Policy %q", path, response.Header.Get("Cache-Control"), response.Header.Get("Referrer-Policy"))
		}
	}
}
