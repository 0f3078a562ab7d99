// Package web is what a browser gets from a gateway: the test page at / with the files it needs, and the client library
// for script tags at /sdk, embedded in the binary. It only serves files; page and library talk to /ws and /api/v1 like
// any client. The page's scripts are written in src, the library in sdk, an npm package of its own; `make generate`
// bundles both into dist, which is checked in, so that building the gateway needs no Node.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"time"
)

//go:embed websocket-chat-client.html icon.svg dist/chat-client.js dist/chat-client.css dist/fliliy-websocket-client.js dist/sockjs.js
var files embed.FS

// policy lets the page load its own files and nothing else: no inline script, no style from elsewhere, no frame. It
// may connect to other servers, since its server field can name another gateway.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self' http: https: ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// routes are all paths there are, with the file and the content type behind each.
var routes = []struct{ path, file, contentType string }{
	{"/{$}", "websocket-chat-client.html", "text/html; charset=utf-8"},
	{"/websocket-chat-client.html", "websocket-chat-client.html", "text/html; charset=utf-8"},
	{"/assets/chat-client.js", "dist/chat-client.js", "text/javascript; charset=utf-8"},
	{"/assets/chat-client.css", "dist/chat-client.css", "text/css; charset=utf-8"},
	{"/sdk/fliliy-websocket-client.js", "dist/fliliy-websocket-client.js", "text/javascript; charset=utf-8"},
	{"/sdk/sockjs.js", "dist/sockjs.js", "text/javascript; charset=utf-8"},
	{"/assets/icon.svg", "icon.svg", "image/svg+xml"},
}

// Handler serves the page and the library. Everything else is 404, methods other than GET and HEAD are 405. Browsers may keep the
// files but ask each time whether they are still good, by ETag: a new gateway has new ones at once.
func Handler() http.Handler {
	mux := http.NewServeMux()
	for _, route := range routes {
		content, err := files.ReadFile(route.file)
		if err != nil {
			panic("web: " + err.Error()) // a file that is embedded is there
		}
		mux.Handle("GET "+route.path, file(content, route.contentType))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		mux.ServeHTTP(w, r)
	})
}

func file(content []byte, contentType string) http.Handler {
	sum := sha256.Sum256(content)
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", contentType)
		header.Set("Cache-Control", "no-cache")
		header.Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	})
}
