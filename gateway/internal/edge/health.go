package edge

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// checkTimeout bounds all readiness checks together.
const checkTimeout = 2 * time.Second

// Check is one thing this gateway needs.
type Check struct {
	Name string // a short word for operators: "nats", "chatsvc"
	// Ready returns an error while the thing is not there. It may be called often, by several goroutines, and must
	// heed the context.
	Ready func(ctx context.Context) error
}

// alive answers that the process serves requests; whether it can serve clients well is readyz's to say.
func alive(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]bool{"alive": true})
}

// detail is how much a readiness answer tells.
type detail bool

const (
	namesOnly   detail = false // for the world: which part is missing
	withReasons detail = true  // for operators: and why
)

// failure is a failing check in a readiness answer.
type failure struct {
	Name   string `json:"name"`
	Reason string `json:"reason,omitempty"`
}

// readiness is what readyz answers.
type readiness struct {
	Ready    bool      `json:"ready"`
	Failing  []failure `json:"failing,omitempty"`
	Degraded []failure `json:"degraded,omitempty"` // for operators: what is missed, and can be done without
	Sessions *int      `json:"sessions,omitempty"` // for operators, while draining: how many are still here
}

// readyz answers 200 {"ready":true}, or 503 {"ready":false,"failing":[{"name":…}]}.
func (s *Server) readyz(d detail) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusOK
		answer := s.readiness(r.Context(), d)
		if !answer.Ready {
			status = http.StatusServiceUnavailable
		}
		writeJSON(w, status, answer)
	}
}

func (s *Server) readiness(ctx context.Context, d detail) (r readiness) {
	if s.draining.Load() {
		r.Failing = []failure{{Name: "draining", Reason: "this gateway takes no new clients and asks its own to go"}}
		if d == withReasons && s.opts.Sessions != nil {
			sessions := s.opts.Sessions()
			r.Sessions = &sessions
		}
	} else {
		r.Failing = failing(ctx, s.opts.Checks)
		r.Ready = len(r.Failing) == 0
	}
	if d == withReasons {
		r.Degraded = failing(ctx, s.opts.SoftChecks)
		return r
	}
	for i := range r.Failing {
		r.Failing[i].Reason = ""
	}
	return r
}

// drain begins to drain, and says how far that is. It can be called again.
func (s *Server) drain(w http.ResponseWriter, r *http.Request) {
	s.opts.Drain()
	writeJSON(w, http.StatusAccepted, s.readiness(r.Context(), withReasons))
}

// failing runs checks at once and lists those that fail, by name.
func failing(ctx context.Context, checks []Check) []failure {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		failing []failure
	)
	for _, check := range checks {
		wg.Go(func() {
			if err := check.Ready(ctx); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failing = append(failing, failure{check.Name, err.Error()})
			}
		})
	}
	wg.Wait()
	slices.SortFunc(failing, func(a, b failure) int { return strings.Compare(a.Name, b.Name) })
	return failing
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone: nobody to tell
}
