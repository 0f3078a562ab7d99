package sockjs

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

var iframePath = regexp.MustCompile(`^iframe[0-9a-zA-Z_.-]*\.html$`)

// static answers what is of no session.
func (h *Handler) static(w http.ResponseWriter, r *http.Request, name string) {
	switch {
	case name == "":
		if h.checkMethod(w, r, http.MethodGet) {
			w.Header().Set("Content-Type", plainText)
			_, _ = io.WriteString(w, "Welcome to SockJS!\n")
		}
	case name == "info":
		h.info(w, r)
	case h.iframe != nil && iframePath.MatchString(name):
		if h.checkMethod(w, r, http.MethodGet) {
			h.iframe.serve(w, r)
		}
	default:
		http.NotFound(w, r)
	}
}

// info tells clients what they can use here; they also time the answer.
func (h *Handler) info(w http.ResponseWriter, r *http.Request) {
	h.allowOrigin(w, r)
	if !h.checkMethod(w, r, http.MethodGet) {
		return
	}
	notCached(w)
	w.Header().Set("Content-Type", jsonType)
	var entropy [4]byte
	_, _ = rand.Read(entropy[:]) // it never fails
	body := []byte(`{"websocket":`)
	body = strconv.AppendBool(body, h.opts.WebSocket != nil)
	body = append(body, `,"origins":["*:*"],"cookie_needed":`...)
	body = strconv.AppendBool(body, h.opts.Features.CookieNeeded)
	body = append(body, `,"entropy":`...)
	body = strconv.AppendUint(body, uint64(binary.BigEndian.Uint32(entropy[:])), 10)
	_, _ = w.Write(append(body, '}')) //nolint:gosec // nothing of the request is in it
}

// page is the iframe page: it loads the client library within our own origin, for browsers without CORS.
type page struct {
	body, etag, policy string
	sameOrigin         bool // nobody else may frame it
}

const iframeScript = `
    document.domain = document.domain;
    _sockjs_onload = function(){SockJS.bootstrap_iframe();};
  `

var iframeTemplate = `<!DOCTYPE html>
<html>
<head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
  <script>` + iframeScript + `</script>
  <script src="{{url}}"></script>
</head>
<body>
  <h2>Don't panic!</h2>
  <p>This is a SockJS hidden iframe. It's used for cross domain magic.</p>
</body>
</html>
`

func newIframe(clientURL string, ancestors []string) *page {
	p := &page{body: strings.Replace(iframeTemplate, "{{url}}", html.EscapeString(clientURL), 1)}
	sum := sha256.Sum256([]byte(p.body))
	p.etag = `"` + hex.EncodeToString(sum[:16]) + `"`
	script := sha256.Sum256([]byte(iframeScript))
	source := ""
	if u, err := url.Parse(clientURL); err == nil && u.Host != "" {
		source = " " + u.Scheme + "://" + u.Host
	}
	p.policy = "default-src 'none'; connect-src 'self'; frame-src 'self'; script-src 'self' 'sha256-" +
		base64.StdEncoding.EncodeToString(script[:]) + "'" + source +
		"; frame-ancestors " + strings.Join(append([]string{"'self'"}, ancestors...), " ")
	p.sameOrigin = len(ancestors) == 0
	return p
}

// serve shows the page, and to those who have it already, that it has not changed.
func (p *page) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	cached(w)
	header.Set("ETag", p.etag)
	header.Set("Content-Security-Policy", p.policy)
	if p.sameOrigin {
		header.Set("X-Frame-Options", "SAMEORIGIN") // which knows no lists
	}
	if strings.Contains(r.Header.Get("If-None-Match"), p.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set("Content-Type", htmlType)
	_, _ = io.WriteString(w, p.body) //nolint:gosec // nothing of the request is in it
}
