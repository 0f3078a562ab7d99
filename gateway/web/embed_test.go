package web_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/web"
)

func get(t *testing.T, method, path string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	r.Header = header
	w := httptest.NewRecorder()
	web.Handler().ServeHTTP(w, r)
	return w
}

func TestFiles(t *testing.T) {
	t.Parallel()
	tests := []struct{ path, contentType, has string }{
		{"/", "text/html; charset=utf-8", "<title>Fliliy Chat</title>"},
		{"/websocket-chat-client.html", "text/html; charset=utf-8", "<title>Fliliy Chat</title>"},
		{"/assets/chat-client.js", "text/javascript; charset=utf-8", "v12.stomp"},
		{"/assets/chat-client.css", "text/css; charset=utf-8", "--accent"},
		{"/sdk/fliliy-websocket-client.js", "text/javascript; charset=utf-8", "FliliyWebSocketClient"},
		{"/sdk/sockjs.js", "text/javascript; charset=utf-8", "var SockJS="},
		{"/assets/icon.svg", "image/svg+xml", "<svg"},
	}
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			t.Parallel()
			w := get(t, http.MethodGet, test.path, http.Header{})
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), test.has) {
				t.Errorf("%d, %d bytes; want 200 and %q", w.Code, w.Body.Len(), test.has)
			}
			if got := w.Header().Get("Content-Type"); got != test.contentType {
				t.Errorf("Content-Type %q, want %q", got, test.contentType)
			}
			if got := w.Header().Get("Cache-Control"); got != "no-cache" {
				t.Errorf("Cache-Control %q, want no-cache", got)
			}
			tag := w.Header().Get("ETag")
			if !regexp.MustCompile(`^"[0-9a-f]{32}"$`).MatchString(tag) {
				t.Fatalf("ETag %q", tag)
			}
			again := get(t, http.MethodGet, test.path, http.Header{"If-None-Match": {tag}})
			if again.Code != http.StatusNotModified || again.Body.Len() > 0 {
				t.Errorf("with the ETag: %d, %d bytes; want 304 and none", again.Code, again.Body.Len())
			}
			if head := get(t, http.MethodHead, test.path, http.Header{}); head.Code != http.StatusOK || head.Body.Len() > 0 {
				t.Errorf("HEAD: %d, %d bytes; want 200 and none", head.Code, head.Body.Len())
			}
		})
	}
}

func TestNotThere(t *testing.T) {
	t.Parallel()
	tests := []struct {
		method, path string
		status       int
	}{
		{http.MethodGet, "/index.html", http.StatusNotFound},
		{http.MethodGet, "/assets/", http.StatusNotFound},
		{http.MethodGet, "/assets/chat-client.js.map", http.StatusNotFound},
		{http.MethodGet, "/package.json", http.StatusNotFound},
		{http.MethodGet, "/src/main.js", http.StatusNotFound},
		{http.MethodGet, "/sdk/", http.StatusNotFound},
		{http.MethodGet, "/sdk/src/client.ts", http.StatusNotFound},
		{http.MethodGet, "/metrics", http.StatusNotFound},
		{http.MethodPost, "/", http.StatusMethodNotAllowed},
		{http.MethodDelete, "/assets/chat-client.js", http.StatusMethodNotAllowed},
	}
	for _, test := range tests {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			t.Parallel()
			if w := get(t, test.method, test.path, http.Header{}); w.Code != test.status {
				t.Errorf("%d, want %d", w.Code, test.status)
			}
		})
	}
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/assets/chat-client.js", "/nothing"} {
		header := get(t, http.MethodGet, path, http.Header{}).Header()
		for key, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := header.Get(key); got != want {
				t.Errorf("%s: %s %q, want %q", path, key, got, want)
			}
		}
		csp := header.Get("Content-Security-Policy")
		for _, want := range []string{
			"default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "base-uri 'none'",
		} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: policy %q lacks %s", path, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q is not strict", path, csp)
		}
	}
}

// The policy forbids inline code, so that a page which has some would not work; and all that it loads must be there.
func TestPageKeepsItsPolicy(t *testing.T) {
	t.Parallel()
	page := get(t, http.MethodGet, "/", http.Header{}).Body.String()
	inline := regexp.MustCompile(`(?i)<script(?:\s[^>]*)?>[^<]|<style|\sstyle=|\son[a-z]+=|javascript:`)
	if found := inline.FindString(page); found != "" {
		t.Errorf("the page has inline code: %q", found)
	}
	loads := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(loads) < 3 {
		t.Fatalf("the page loads only %v", loads)
	}
	for _, load := range loads {
		if symbol, within := strings.CutPrefix(load[1], "#"); within {
			if !strings.Contains(page, `<symbol id="`+symbol+`"`) {
				t.Errorf("the page shows the icon %s, which it does not have", symbol)
			}
			continue
		}
		if w := get(t, http.MethodGet, load[1], http.Header{}); w.Code != http.StatusOK {
			t.Errorf("the page loads %s: %d", load[1], w.Code)
		}
	}
	script := get(t, http.MethodGet, "/assets/chat-client.js", http.Header{}).Body.String()
	for _, danger := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"} {
		if strings.Contains(script, danger) {
			t.Errorf("the script uses %s", danger)
		}
	}
}

// A page that chats should not weigh more for it than this.
func TestLibraryIsSmall(t *testing.T) {
	t.Parallel()
	script := get(t, http.MethodGet, "/sdk/fliliy-websocket-client.js", http.Header{}).Body.Bytes()
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(script); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	const limit = 25 << 10
	if zipped.Len() > limit {
		t.Errorf("the library's script has %d bytes, %d gzipped; at most %d are allowed", len(script), zipped.Len(), limit)
	}
}
