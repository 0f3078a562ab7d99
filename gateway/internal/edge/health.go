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

// Check is one thing this gateway cannot serve without.
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

// readyz answers 200 {"ready":true}, or 503 {"ready":false,"failing":[{"name":…}]}.
func (s *Server) readyz(d detail) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		failing := s.failing(r.Context())
		if d == namesOnly {
			for i := range failing {
				failing[i].Reason = ""
			}
		}
		status := http.StatusOK
		if len(failing) > 0 {
			status = http.StatusServiceUnavailable
		}
		writeJSON(w, status, struct {
			Ready   bool      `json:"ready"`
			Failing []failure `json:"failing,omitempty"`
		}{len(failing) == 0, failing})
	}
}

// failing runs all checks at once and lists those that fail, by name; draining fails without asking them.
func (s *Server) failing(ctx context.Context) []failure {
	if s.draining.Load() {
		return []failure{{Name: "draining", Reason: "this gateway is shutting down"}}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		failing []failure
	)
	for _, check := range s.opts.Checks {
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
