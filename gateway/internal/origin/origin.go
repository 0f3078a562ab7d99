// Package origin says pages of which web origins may use a gateway: one list for WebSocket, SockJS and REST, compared
// whole and exactly. It keeps pages of other sites from acting in a browser of somebody who can reach the gateway; it
// knows no token and no user. The transports and the composition root use it.
//
// A request without an Origin header is let through: browsers leave it out where a page of our own reads from us (GET), and
// programs that are no browsers have none. No door of the gateway takes a cookie, so such a request has no more rights than
// the token that whoever made it had to know.
package origin

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/rs/cors"

	"github.com/fliliy/chat/gateway/internal/event"
)

// Any in a list allows every origin. It is for public test suites, never for a gateway: its configuration refuses it.
const Any = "*"

// List are the origins that may use the gateway beside its own; the zero value has none. It does not change.
type List struct {
	others  []string
	refused func() // counts; may be nil
}

// NewList makes a list of origins as browsers send them, such as https://shop.example. refused is called for each request
// that Check refuses; it may be nil.
func NewList(others []string, refused func()) List {
	return List{slices.Clone(others), refused}
}

// contains compares whole origins, never parts of them. Whether the page came by http or https cannot be known behind
// a proxy that ends TLS, so both are our own origin unless this very connection is TLS.
func (l List) contains(origin string, r *http.Request) bool {
	if origin == "https://"+r.Host || r.TLS == nil && origin == "http://"+r.Host {
		return true
	}
	return slices.Contains(l.others, origin) || slices.Contains(l.others, Any)
}

// Check says whether a request may come from where its Origin header says it does, and answers with 403 one that may not.
func (l List) Check(w http.ResponseWriter, r *http.Request) bool {
	given := r.Header.Values("Origin")
	if len(given) == 0 || len(given) == 1 && l.contains(given[0], r) {
		return true
	}
	if l.refused != nil {
		l.refused()
	}
	header := w.Header()
	header.Add("Vary", "Origin")
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer") // the URL may carry a token
	header.Set("Content-Type", "application/json")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusForbidden)
	_ = json.NewEncoder(w).Encode(map[string]string{ // the client is gone: nobody to tell
		"code": string(event.Forbidden), "message": "pages of this origin may not connect: ask the operator to allow it",
	})
	return false
}

// preflightLife is how long a browser may believe what it was told before a request; none believes longer.
const preflightLife = 2 * time.Hour

// CORS lets pages of the list use REST paths: it answers their preflights, and tells browsers that they may read answers.
// Requests of all other pages are refused before next. Credentials of browsers (cookies) are never asked for.
func (l List) CORS(next http.Handler) http.Handler {
	shared := cors.New(cors.Options{
		AllowOriginVaryRequestFunc: func(r *http.Request, origin string) (bool, []string) { return l.contains(origin, r), nil },
		AllowedMethods:             []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete},
		AllowedHeaders:             []string{"Authorization", "Content-Type"},
		ExposedHeaders:             []string{"Retry-After"},
		MaxAge:                     int(preflightLife.Seconds()),
	}).Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.Check(w, r) {
			shared.ServeHTTP(w, r)
		}
	})
}
