package peer

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"

	"github.com/fliliy/chat/gateway/internal/metrics"
)

const (
	dialTimeout = time.Second
	// A connection to a gateway that says nothing for pingAfter, and does not answer a ping within pingWait, is dead.
	pingAfter = 3 * time.Second
	pingWait  = 2 * time.Second
	// writeTimeout is how long a client may take for one write.
	writeTimeout = 10 * time.Second
	copySize     = 4 << 10

	passHeader    = "Fliliy-Peer-Pass" //nolint:gosec // a name
	addressHeader = "Fliliy-Client-Address"
)

// journey is where a request is carried.
type journey struct{ owner, session string }

type journeyKey struct{}

func journeyOf(ctx context.Context) journey {
	j, _ := ctx.Value(journeyKey{}).(journey)
	return j
}

// Carry implements sockjs.Peers.
func (p *Peers) Carry(w http.ResponseWriter, r *http.Request, owner, session string) {
	clear(w.Header()) // the owner's answer has its own
	r.Header.Del("Upgrade")
	r.Header.Del("Connection")
	ctx := context.WithValue(r.Context(), journeyKey{}, journey{owner, session})
	p.proxy.ServeHTTP(&patientWriter{w, http.NewResponseController(w)}, r.WithContext(ctx))
}

func (p *Peers) newProxy() *httputil.ReverseProxy {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &httputil.ReverseProxy{
		Rewrite: p.address,
		Transport: &http.Transport{
			Protocols:   protocols,
			DialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext,
			HTTP2:       &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingWait},
		},
		FlushInterval:  -1, // each frame at once
		BufferPool:     &copyBuffers,
		ModifyResponse: p.arrived,
		ErrorHandler:   p.lost,
		ErrorLog:       slog.NewLogLogger(p.opts.Logger.Handler(), slog.LevelDebug), // the client has broken off
	}
}

// address writes on a request where it goes, who sends it, and for whom.
func (p *Peers) address(pr *httputil.ProxyRequest) {
	owner := journeyOf(pr.In.Context()).owner
	target, err := url.Parse(owner)
	if err != nil {
		target = &url.URL{Scheme: "http", Host: "invalid."} // an error tells, when it is dialled
	}
	pr.Out.URL.Scheme, pr.Out.URL.Host = target.Scheme, target.Host
	pr.Out.Host = pr.In.Host
	pr.Out.Header.Set(passHeader, p.pass(owner))
	pr.Out.Header.Set(addressHeader, pr.In.RemoteAddr)
}

// arrived looks at the owner's answer: one that does not know the session holds it no longer.
func (p *Peers) arrived(response *http.Response) error {
	p.count(metrics.CarryAnswered)
	if response.StatusCode == http.StatusNotFound {
		p.known.forget(journeyOf(response.Request.Context()).session)
	}
	return nil
}

// lost answers when the owner cannot be reached, or goes away: with 404, which makes clients start over at once. What
// Redis says of a dead owner's session is left to end by itself: its id is not used again.
func (p *Peers) lost(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		p.count(metrics.CarryBrokenOff)
		return // the client is gone
	}
	p.count(metrics.CarryUnreachable)
	j := journeyOf(r.Context())
	p.known.forget(j.session)
	p.opts.Logger.Debug("a request could not be carried", "owner", j.owner, "session", j.session, "error", err)
	http.NotFound(w, r)
}

func (p *Peers) count(outcome string) {
	if p.opts.Metrics != nil {
		p.opts.Metrics.Carried.Inc(outcome)
	}
}

// patientWriter gives a client time for each write instead of for all of the answer, which may be long in coming.
type patientWriter struct {
	http.ResponseWriter
	controller *http.ResponseController
}

func (w *patientWriter) Write(b []byte) (int, error) {
	// Where a deadline cannot be set, the server's own has to do.
	_ = w.controller.SetWriteDeadline(time.Now().Add(writeTimeout))
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController flush.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// copyBuffers are what streaming answers are copied through; an idle one holds its buffer.
var copyBuffers = bufferPool{sync.Pool{New: func() any { return new([copySize]byte) }}}

type bufferPool struct{ pool sync.Pool }

func (b *bufferPool) Get() []byte { return b.pool.Get().(*[copySize]byte)[:] }

func (b *bufferPool) Put(buffer []byte) { b.pool.Put((*[copySize]byte)(buffer)) }
