package sockjs

import (
	"net/http"
	"strings"
)

// upgrade hands a request to the WebSocket, if it is for one. What is wrong with it is said in the words that the
// public suite expects.
func (h *Handler) upgrade(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodGet:
		notAllowed(w, http.MethodGet)
	case !strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		http.Error(w, `Can "Upgrade" only to "WebSocket".`, http.StatusBadRequest)
	case !strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade"):
		http.Error(w, `"Connection" must be "Upgrade".`, http.StatusBadRequest)
	default:
		h.opts.WebSocket.ServeHTTP(w, modern(r))
	}
}

// modern lets drafts 7 and 10 of the WebSocket protocol (versions 7 and 8) pass for the final one, which frames alike.
// Their origin stands in a header of its own.
func modern(r *http.Request) *http.Request {
	version := r.Header.Get("Sec-Websocket-Version")
	if version != "7" && version != "8" {
		return r
	}
	r = r.Clone(r.Context())
	r.Header.Set("Sec-Websocket-Version", "13")
	if _, given := r.Header["Origin"]; !given && len(r.Header["Sec-Websocket-Origin"]) > 0 {
		r.Header["Origin"] = r.Header["Sec-Websocket-Origin"]
	}
	return r
}
