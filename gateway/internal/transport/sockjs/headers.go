package sockjs

import (
	"net/http"
	"strings"
	"time"
)

const (
	year        = 365 * 24 * time.Hour
	yearSeconds = "31536000"
	plainText   = "text/plain; charset=UTF-8"
	javaScript  = "application/javascript; charset=UTF-8"
	eventStream = "text/event-stream; charset=UTF-8"
	htmlType    = "text/html; charset=UTF-8"
	jsonType    = "application/json; charset=UTF-8"
)

// prepare sets the headers of every answer about a session, and says whether the request goes on: preflights and wrong
// methods it answers.
func (h *Handler) prepare(w http.ResponseWriter, r *http.Request, way way) bool {
	h.allowOrigin(w, r)
	if !h.checkMethod(w, r, way.method) {
		return false
	}
	notCached(w)
	if h.opts.Features.CookieNeeded {
		setCookie(w, r)
	}
	return true
}

// checkMethod answers preflights, other methods than the one, and requests that want to be a WebSocket where none is.
func (h *Handler) checkMethod(w http.ResponseWriter, r *http.Request, method string) bool {
	switch {
	case r.Method == http.MethodOptions:
		w.Header().Set("Access-Control-Allow-Methods", "OPTIONS, "+method)
		w.Header().Set("Access-Control-Max-Age", yearSeconds)
		cached(w)
		w.WriteHeader(http.StatusNoContent)
	case r.Method != method:
		notAllowed(w, "OPTIONS, "+method)
	case strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		http.Error(w, "there is no WebSocket at this address", http.StatusBadRequest)
	default:
		return true
	}
	return false
}

func notAllowed(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	w.WriteHeader(http.StatusMethodNotAllowed)
}

// allowOrigin lets the page that asks read the answer; CheckOrigin has said that it may. A page of the file system,
// whose origin is "null", and requests of no page are only told so where any page may.
func (h *Handler) allowOrigin(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	origin := r.Header.Get("Origin")
	if h.opts.Features.AnyOrigin && (origin == "" || origin == "null") {
		origin = "*"
	}
	header.Add("Vary", "Origin")
	if origin == "" {
		return
	}
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Allow-Credentials", "true") // sockjs-client asks with credentials, always
	if wanted := r.Header.Get("Access-Control-Request-Headers"); wanted != "" {
		header.Set("Access-Control-Allow-Headers", wanted)
	}
}

func notCached(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store, no-cache, must-revalidate, max-age=0")
}

func cached(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "public, max-age="+yearSeconds)
	w.Header().Set("Expires", time.Now().Add(year).UTC().Format(http.TimeFormat))
}

// setCookie sets the cookie by which some load balancers are sticky: the one they have set, or a dummy that makes them
// set theirs. It identifies nobody.
func setCookie(w http.ResponseWriter, r *http.Request) {
	value := "dummy"
	if cookie, err := r.Cookie("JSESSIONID"); err == nil {
		value = cookie.Value
	}
	//nolint:gosec // clients on http need it, too, and it keeps nothing secret
	w.Header().Add("Set-Cookie", (&http.Cookie{Name: "JSESSIONID", Value: value, Path: "/"}).String())
}
