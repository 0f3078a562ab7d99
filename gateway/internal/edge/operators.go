package edge

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// forOperators asks for the admin token, in constant time. Whether the process is alive may be asked without: probes
// have no token.
func forOperators(token string, next http.Handler) http.Handler {
	if token == "" {
		return next
	}
	want := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, shown, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(shown))
		good := subtle.ConstantTimeCompare(got[:], want[:]) == 1
		if r.URL.Path != "/healthz" && (!good || !strings.EqualFold(scheme, "Bearer")) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			writeJSON(w, http.StatusUnauthorized, map[string]string{
				"code":    "UNAUTHENTICATED",
				"message": `the admin token is needed: send the header "Authorization: Bearer <token>"`,
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}
