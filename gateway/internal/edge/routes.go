package edge

import (
	"net/http"
	"net/http/pprof"
	"strings"
)

// maxRequestBody bounds the body of a REST request; the services behind have smaller bounds of their own.
const maxRequestBody = 1 << 20

// socketPath and all below it are one handler's.
const socketPath = "/ws"

// route is a line of a table of routes. The pattern is net/http's.
type route struct {
	pattern string
	handler http.Handler
}

// publicRoutes is all that the world can reach.
func (s *Server) publicRoutes() http.Handler {
	rest := mux([]route{
		{"/api/v1/", limited(s.opts.REST)},
		{"/api/", nil},
		{"GET /healthz", http.HandlerFunc(alive)},
		{"GET /readyz", s.readyz(namesOnly)},
		{"/metrics", nil}, // never public, whatever Web answers to
		{"/metrics/", nil},
		{"/debug", nil},
		{"/debug/", nil},
		{"/", s.opts.Web},
	})
	sockets := s.opts.WS
	if sockets == nil {
		sockets = http.NotFoundHandler()
	}
	return discreet(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isSocket(r.URL.Path) {
			sockets.ServeHTTP(w, r) // the mux would redirect paths such as /ws//xhr, which are to be refused
			return
		}
		rest.ServeHTTP(w, r)
	}))
}

func isSocket(path string) bool { return path == socketPath || strings.HasPrefix(path, socketPath+"/") }

// adminRoutes is what operators reach.
func (s *Server) adminRoutes() http.Handler {
	return mux([]route{
		{"GET /metrics", s.opts.Metrics},
		{"GET /healthz", http.HandlerFunc(alive)},
		{"GET /readyz", s.readyz(withReasons)},
		{"POST /drain", s.drainHandler()},
		{"GET /debug/pprof/", http.HandlerFunc(pprof.Index)},
		{"GET /debug/pprof/cmdline", http.HandlerFunc(pprof.Cmdline)},
		{"GET /debug/pprof/profile", http.HandlerFunc(pprof.Profile)},
		{"GET /debug/pprof/symbol", http.HandlerFunc(pprof.Symbol)},
		{"GET /debug/pprof/trace", http.HandlerFunc(pprof.Trace)},
	})
}

// drainHandler is nil where nothing can be drained. A page in the browser of an operator must not be able to call it.
func (s *Server) drainHandler() http.Handler {
	if s.opts.Drain == nil {
		return nil
	}
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(s.drain))
}

func mux(routes []route) http.Handler {
	m := http.NewServeMux()
	for _, r := range routes {
		if r.handler == nil {
			r.handler = http.NotFoundHandler()
		}
		m.Handle(r.pattern, r.handler)
	}
	return m
}

func limited(h http.Handler) http.Handler {
	if h == nil {
		return nil
	}
	return http.MaxBytesHandler(h, maxRequestBody)
}
