package rest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/rest"
)

// tickets issues the token backwards, or nothing.
type tickets struct{ err error }

func (i tickets) Issue(_ context.Context, token string) (string, error) {
	return "ticket-of-" + token, i.err
}

func TestTickets(t *testing.T) {
	t.Parallel()
	const path = "/api/v1/ws-ticket"
	away := &event.Error{Code: event.Unavailable, Message: "no tickets now", RetryAfter: time.Second}
	for _, tc := range []struct {
		name, method, body string
		header             http.Header
		err                error
		status             int
		code               event.Code
		says               string
	}{
		{name: "without a body", method: "POST", status: 200},
		{name: "with an object", method: "POST", body: "{}", status: 200},
		{"no token", "POST", "", http.Header{"Authorization": nil}, nil, 401, event.Unauthenticated, "Bearer"},
		{"bad token", "POST", "", http.Header{"Authorization": {"Bearer bad"}}, nil, 401, event.Unauthenticated, "not valid"},
		{"a form", "POST", "a=b", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, nil, 415, event.Invalid, "JSON"},
		{"GET", "GET", "", nil, nil, 405, event.Invalid, "POST"},
		{"Redis is away", "POST", "", nil, away, 503, event.Unavailable, "no tickets now"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := &double{}
			h, _ := newHandler(t, d, rest.WithTickets(tickets{tc.err}, 30*time.Second))
			response := call(t, h, tc.method, path, tc.body, tc.header)
			if d.method != "" {
				t.Errorf("the chat service was called: %s", d.method)
			}
			if tc.status != http.StatusOK {
				checkError(t, response, tc.status, tc.code, tc.says)
				return
			}
			if body := read(t, response); response.StatusCode != 200 || body != `{"ticket":"ticket-of-alice","expiresInMs":30000}` {
				t.Errorf("%d %s", response.StatusCode, body)
			}
			if got := response.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control %q, want no-store", got)
			}
		})
	}
}

// The description names tickets where there are some, and not elsewhere.
func TestTicketsAreDescribed(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]rest.Option{"with": {rest.WithTickets(tickets{}, time.Second)}, "without": nil} {
		h, _ := newHandler(t, &double{}, options...)
		var doc struct {
			Paths map[string]map[string]any `json:"paths"`
		}
		body := read(t, call(t, h, "GET", "/api/v1/openapi.json", "", nil))
		if err := json.NewDecoder(strings.NewReader(body)).Decode(&doc); err != nil {
			t.Fatal(err)
		}
		if _, there := doc.Paths["/api/v1/ws-ticket"]["post"]; there != (name == "with") {
			t.Errorf("%s tickets: described: %t", name, there)
		}
	}
}
