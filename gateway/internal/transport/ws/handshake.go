package ws

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/principal"
)

// checkUpgrade answers what is no proper WebSocket handshake (RFC 6455 section 4.2.1) and says whether it was one.
func checkUpgrade(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		refuse(w, http.StatusMethodNotAllowed, event.Invalid, "a WebSocket handshake is a GET request, this is "+r.Method)
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		refuse(w, http.StatusBadRequest, event.Invalid, "a WebSocket handshake is made with HTTP/1.1, this is "+r.Proto)
	case !hasToken(r.Header, "Connection", "upgrade") || !hasToken(r.Header, "Upgrade", "websocket"):
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		refuse(w, http.StatusUpgradeRequired, event.Invalid, "this address speaks WebSocket: connect with a STOMP client")
	case len(r.Header.Values("Upgrade")) != 1:
		refuse(w, http.StatusBadRequest, event.Invalid, "the Upgrade header is repeated: send it once")
	case !slices.Equal(r.Header.Values("Sec-Websocket-Version"), []string{"13"}):
		w.Header().Set("Sec-WebSocket-Version", "13")
		refuse(w, http.StatusUpgradeRequired, event.Invalid, "only version 13 of the WebSocket protocol is spoken here")
	case !validKey(r.Header.Values("Sec-Websocket-Key")):
		refuse(w, http.StatusBadRequest, event.Invalid, "Sec-WebSocket-Key must be 16 bytes in base64, given once")
	case r.ContentLength != 0:
		refuse(w, http.StatusBadRequest, event.Invalid, "a WebSocket handshake has no body")
	default:
		return true
	}
	return false
}

func validKey(keys []string) bool {
	if len(keys) != 1 {
		return false
	}
	raw, err := base64.StdEncoding.DecodeString(keys[0])
	return err == nil && len(raw) == 16
}

// hasToken looks for a token in a header that is a comma-separated list.
func hasToken(h http.Header, key, token string) bool {
	for _, line := range h.Values(key) {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// Checks are what a request has to pass before it opens anything, by whichever transport.
type Checks struct{ opts Options }

// NewChecks makes checks from Origins, Verify, Redeem and Logger of the options.
func NewChecks(opts Options) Checks { return Checks{opts.withDefaults()} }

// Origin keeps pages of other sites out (cross-site WebSocket hijacking): browsers always send the header with a
// handshake, and send it truly. It answers a request that may not be, and says whether it may.
func (c Checks) Origin(w http.ResponseWriter, r *http.Request) bool {
	return c.opts.Origins.Check(w, r)
}

// Token verifies the token or the ticket of the request, if there is one, and answers a bad one. A ticket is used up:
// Token is called once for whatever a request opens, after all that may refuse it.
func (c Checks) Token(w http.ResponseWriter, r *http.Request) (Handshake, bool) {
	handshake := Handshake{RemoteAddr: r.RemoteAddr}
	var err error
	handshake.Principal, err = c.prove(r)
	if err == nil {
		return handshake, true
	}
	var refused *event.Error
	if !errors.As(err, &refused) {
		c.opts.Logger.Error("verify the token of a handshake", "error", err)
		refuse(w, http.StatusInternalServerError, event.Internal, "internal error")
		return Handshake{}, false
	}
	status := http.StatusUnauthorized
	if refused.Code == event.Unavailable {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(refused.RetryAfter/time.Second))))
	} else {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	refuse(w, status, refused.Code, refused.Message)
	return Handshake{}, false
}

// prove says whose request it is: by Authorization: Bearer first, for it does not end up in logs of proxies, else by
// ?ticket=, else by ?token=; nobody without any. A cookie is never a token, since browsers would send it for any site's
// page.
func (c Checks) prove(r *http.Request) (principal.Principal, error) {
	scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if bearer = strings.TrimSpace(bearer); strings.EqualFold(scheme, "Bearer") && bearer != "" {
		return c.opts.Verify(r.Context(), bearer)
	}
	query := r.URL.Query()
	if ticket := query.Get("ticket"); ticket != "" && c.opts.Redeem != nil {
		return c.opts.Redeem(r.Context(), ticket)
	}
	if token := query.Get("token"); token != "" {
		return c.opts.Verify(r.Context(), token)
	}
	return principal.Principal{}, nil
}

// refuse answers with the contract's error body.
func refuse(w http.ResponseWriter, status int, code event.Code, message string) {
	body, err := json.Marshal(struct {
		Code    event.Code `json:"code"`
		Message string     `json:"message"`
	}{code, message})
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone: nobody to tell
}
