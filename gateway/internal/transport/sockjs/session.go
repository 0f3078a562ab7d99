package sockjs

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/fliliy/chat/gateway/internal/transport"
)

// maxID is the longest id of a session, in bytes. Those of sockjs-client have 8.
const maxID = 128

// kind is what a request of a session does.
type kind int

const (
	receives kind = iota // waits for messages; opens the session if there is none
	sends
	upgrades
)

// way is the last part of a session's path.
type way struct {
	kind    kind
	method  string
	format  format                // of what it receives
	enabled func(h *Handler) bool // nil: always
}

var ways = map[string]way{
	"websocket":     {kind: upgrades, method: http.MethodGet, enabled: func(h *Handler) bool { return h.opts.WebSocket != nil }},
	"xhr":           {kind: receives, method: http.MethodPost, format: xhrFormat},
	"xhr_streaming": {kind: receives, method: http.MethodPost, format: xhrStreamingFormat},
	"eventsource":   {kind: receives, method: http.MethodGet, format: eventSourceFormat},
	"htmlfile":      {kind: receives, method: http.MethodGet, format: htmlFileFormat, enabled: (*Handler).offersHTMLFile},
	"jsonp":         {kind: receives, method: http.MethodGet, format: jsonpFormat, enabled: (*Handler).offersJSONP},
	"xhr_send":      {kind: sends, method: http.MethodPost},
	"jsonp_send":    {kind: sends, method: http.MethodPost, enabled: (*Handler).offersJSONP},
}

func (h *Handler) offersJSONP() bool    { return h.opts.Features.JSONP }
func (h *Handler) offersHTMLFile() bool { return h.opts.Features.HTMLFile }

// session answers /{server}/{session}/{way}. The first is for load balancers and means nothing here.
func (h *Handler) session(w http.ResponseWriter, r *http.Request, segments []string, carried bool) {
	way, known := ways[segments[2]]
	id, ok := sessionID(segments)
	if !known || !ok || way.enabled != nil && !way.enabled(h) {
		http.NotFound(w, r)
		return
	}
	if way.kind == upgrades {
		h.upgrade(w, r)
		return
	}
	if !h.prepare(w, r, way) {
		return
	}
	name := nameOf(id)
	if way.kind == receives && !settleIn(w, r, &way.format) {
		return
	}
	c, ok := h.find(w, r, name, way, carried)
	switch {
	case !ok: // answered
	case c == nil || !c.binding.equals(bindingOf(r)):
		http.NotFound(w, r)
	case way.kind == sends:
		h.send(w, r, c, segments[2] == "jsonp_send")
	default:
		h.receive(w, r, c, way.format)
	}
}

// sessionID is the id in a path, unescaped.
func sessionID(segments []string) (id string, ok bool) {
	for _, segment := range segments[:2] {
		text, err := url.PathUnescape(segment)
		if err != nil || text == "" || len(text) > maxID || strings.Contains(text, ".") {
			return "", false
		}
		id = text
	}
	return id, true
}

// find returns the session that lives here, opened for this request if it is the first one; nil where there is none.
// Where the session lives elsewhere the request is carried there, and answered when find returns; then ok is false.
func (h *Handler) find(w http.ResponseWriter, r *http.Request, name string, way way, carried bool) (c *Conn, ok bool) {
	if c := h.sessions.find(r.Context(), name); c != nil || carried {
		return c, true
	}
	if h.opts.Peers != nil {
		owner, err := h.opts.Peers.Owner(r.Context(), name)
		if err != nil {
			unavailable(w)
			return nil, false
		}
		if owner != "" {
			h.opts.Peers.Carry(w, r, owner, name)
			return nil, false
		}
	}
	if way.kind == sends {
		return nil, true
	}
	return h.open(w, r, name)
}

// open opens a session, unless another request does so at the same time, here or elsewhere.
func (h *Handler) open(w http.ResponseWriter, r *http.Request, name string) (*Conn, bool) {
	handshake, admitted := h.opts.Admit(w, r)
	if !admitted {
		return nil, false
	}
	if !h.sessions.reserve(name) {
		return h.sessions.find(r.Context(), name), true
	}
	if h.opts.Peers == nil {
		return h.start(name, handshake, bindingOf(r)), true
	}
	owner, err := h.opts.Peers.Claim(r.Context(), name)
	if err == nil && owner == "" {
		return h.start(name, handshake, bindingOf(r)), true
	}
	h.sessions.settle(name, nil)
	if err != nil {
		unavailable(w)
		return nil, false
	}
	h.opts.Peers.Carry(w, r, owner, name)
	return nil, false
}

// start makes the session for which a name has been reserved.
func (h *Handler) start(name string, handshake transport.Handshake, b binding) *Conn {
	c := newConn(handshake, b, h.opts.Tuning, func() {
		h.sessions.remove(name)
		h.count(-1)
		if h.opts.Peers != nil {
			h.opts.Peers.Release(name)
		}
	})
	h.sessions.settle(name, c)
	h.count(1)
	go h.serve(c)
	return c
}

// unavailable answers while nobody can say where a session lives: another one must not be opened in its place.
func unavailable(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, "it is not known now where this session lives: connect again", http.StatusServiceUnavailable)
}
