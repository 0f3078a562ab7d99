package edge

import (
	"net/http"
	"net/url"
	"strings"
)

// discreet keeps credentials that stand in a URL out of all that follows: no cache keeps the answer, and no page tells
// the next one where it came from. Where none belongs into a URL, which is everywhere but at /ws, no handler sees them
// either, so that no redirect and no error page repeats them.
func discreet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Referrer-Policy", "no-referrer")
		query, found := withoutCredentials(r.URL.RawQuery)
		if !found {
			next.ServeHTTP(w, r)
			return
		}
		w = &noStore{ResponseWriter: w}
		if isSocket(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		clean, there := *r, *r.URL
		there.RawQuery = query
		clean.URL, clean.RequestURI = &there, there.RequestURI()
		next.ServeHTTP(w, &clean)
	})
}

// withoutCredentials takes token and ticket out of a query. Of a query that cannot be read and may have some, nothing is
// left.
func withoutCredentials(raw string) (query string, found bool) {
	if !strings.Contains(raw, "token") && !strings.Contains(raw, "ticket") && !strings.Contains(raw, "%") {
		return raw, false
	}
	values, err := url.ParseQuery(raw)
	if err != nil && (strings.Contains(raw, "token=") || strings.Contains(raw, "ticket=")) {
		return "", true
	}
	if !values.Has("token") && !values.Has("ticket") {
		return raw, false
	}
	values.Del("token")
	values.Del("ticket")
	return values.Encode(), true
}

// noStore lets no cache keep an answer, whatever its handler says.
type noStore struct{ http.ResponseWriter }

func (w *noStore) WriteHeader(status int) {
	w.Header().Set("Cache-Control", "no-store")
	w.ResponseWriter.WriteHeader(status)
}

func (w *noStore) Write(body []byte) (int, error) {
	w.Header().Set("Cache-Control", "no-store") // too late, and without effect, after WriteHeader
	return w.ResponseWriter.Write(body)
}

// Unwrap lets http.ResponseController find what the writer can do besides.
func (w *noStore) Unwrap() http.ResponseWriter { return w.ResponseWriter }
