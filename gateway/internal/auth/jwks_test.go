package auth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/MicahParks/jwkset"

	"github.com/fliliy/chat/gateway/internal/auth"
	"github.com/fliliy/chat/gateway/internal/event"
)

// expired is a context that has ended: nothing may wait under it.
func expired(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// issuer is an issuer's JWKS, without a network. Its zero value is away.
type issuer struct {
	mu      sync.Mutex
	body    string // empty: it cannot be reached
	status  int    // 200 when 0
	fetches []time.Time
}

func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fetches = append(i.fetches, time.Now())
	if i.body == "" {
		return nil, errors.New("no route to host")
	}
	status := max(i.status, http.StatusOK)
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status), Request: r, Header: http.Header{"Location": {"https://evil.example/"}},
		Body: io.NopCloser(strings.NewReader(i.body)),
	}, nil
}

func (i *issuer) serve(status int, body string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.status, i.body = status, body
}

func (i *issuer) fetched() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.fetches)
}

// set writes a JWKS of public keys by kid.
func set(t *testing.T, named map[string]pair) string {
	t.Helper()
	list := []jwkset.JWKMarshal{}
	for kid, p := range named {
		jwk, err := jwkset.NewJWKFromKey(p.private.Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: kid}})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, jwk.Marshal())
	}
	text, err := json.Marshal(map[string]any{"keys": list})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// withJWKS runs a test in a bubble of time with a verifier of an issuer's keys.
func withJWKS(t *testing.T, i *issuer, test func(t *testing.T, v *auth.Verifier)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		jwks := auth.NewJWKS(auth.JWKSOptions{URL: "https://login.example/keys", Transport: i})
		v, err := auth.New(auth.Options{JWKS: jwks})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- jwks.Run(ctx) }()
		synctest.Wait()
		test(t, v)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func accepts(t *testing.T, v *auth.Verifier, p pair, kid string, want bool) {
	t.Helper()
	_, err := v.Verify(t.Context(), p.sign(t, p.method, map[string]any{"kid": kid}))
	if want && err != nil {
		t.Errorf("kid %s: %v, want it accepted", kid, err)
	} else if !want {
		wantCode(t, err, event.Unauthenticated)
	}
}

func TestThreat06Rotation(t *testing.T) {
	t.Parallel()
	old, fresh := pairs(t)["RS256"], pairs(t)["ES256"]
	i := &issuer{body: set(t, map[string]pair{"old": old})}
	withJWKS(t, i, func(t *testing.T, v *auth.Verifier) {
		accepts(t, v, old, "old", true)
		accepts(t, v, fresh, "old", false) // another key under a known kid
		i.serve(200, set(t, map[string]pair{"old": old, "new": fresh}))
		after(10 * time.Second)
		accepts(t, v, fresh, "new", true) // unknown kid: read at once
		accepts(t, v, old, "old", true)
		i.serve(200, set(t, map[string]pair{"new": fresh}))
		after(time.Minute)
		accepts(t, v, old, "old", false) // removed a minute ago
		accepts(t, v, fresh, "new", true)
	})
}

func TestThreat06UnknownKidFlood(t *testing.T) {
	t.Parallel()
	p := pairs(t)["EdDSA"]
	stranger := p.sign(t, p.method, map[string]any{"kid": "unknown"})
	i := &issuer{body: set(t, map[string]pair{"known": p})}
	withJWKS(t, i, func(t *testing.T, v *auth.Verifier) {
		for range 100 { // 100 s of it
			for range 10 {
				_, err := v.Verify(t.Context(), stranger)
				wantCode(t, err, event.Unauthenticated)
			}
			after(time.Second)
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		for n := range i.fetches[1:] {
			if gap := i.fetches[n+1].Sub(i.fetches[n]); gap < 10*time.Second {
				t.Errorf("two fetches within %v, want at least 10 s between them", gap)
			}
		}
		if len(i.fetches) < 3 {
			t.Errorf("%d fetches in 100 s: rotation would not be noticed", len(i.fetches))
		}
	})
}

func TestThreat06LastGoodKeysAreKept(t *testing.T) {
	t.Parallel()
	p := pairs(t)["ES256"]
	good := set(t, map[string]pair{"k": p})
	for name, bad := range map[string]struct {
		status int
		body   string
	}{
		"away":         {0, ""},
		"error":        {500, good},
		"redirect":     {302, good},
		"no JSON":      {200, "<html>"},
		"no key set":   {200, "{}"},
		"null":         {200, `{"keys":null}`},
		"too large":    {200, `{"keys":[],"x":"` + strings.Repeat("x", 1<<20) + `"}`},
		"too many":     {200, `{"keys":[` + strings.Repeat(`{},`, 100) + `{}]}`},
		"cut in half":  {200, good[:len(good)/2]},
		"another type": {200, `[]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := &issuer{body: good}
			withJWKS(t, i, func(t *testing.T, v *auth.Verifier) {
				i.serve(bad.status, bad.body)
				after(time.Hour / 2)
				accepts(t, v, p, "k", true)
				if i.fetched() < 10 {
					t.Error("it was not asked again")
				}
			})
		})
	}
}

// Until the keys have been read, nobody can say who is good: that is not the token's fault.
func TestJWKSBeforeTheFirstFetch(t *testing.T) {
	t.Parallel()
	p := pairs(t)["ES256"]
	i := &issuer{}
	withJWKS(t, i, func(t *testing.T, v *auth.Verifier) {
		_, err := v.Verify(t.Context(), p.sign(t, p.method, map[string]any{"kid": "k"}))
		wantCode(t, err, event.Unavailable)
		i.serve(200, set(t, map[string]pair{"k": p}))
		after(10 * time.Second)
		accepts(t, v, p, "k", true)
	})
}

func TestJWKSLeavesOutWhatIsNotForTokens(t *testing.T) {
	t.Parallel()
	p := pairs(t)
	var listed struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal([]byte(set(t, map[string]pair{"k": p["RS256"]})), &listed); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change map[string]any
		good   bool
	}{
		"as it is":            {nil, true},
		"for signatures":      {map[string]any{"use": "sig", "alg": "RS256"}, true},
		"with odd additions":  {map[string]any{"x5u": "https://evil.example/", "x5c": []string{"AA"}, "d": "AA"}, true},
		"for encryption":      {map[string]any{"use": "enc"}, false},
		"another algorithm":   {map[string]any{"alg": "RS512"}, false},
		"symmetric algorithm": {map[string]any{"alg": "HS256"}, false},
		"symmetric":           {map[string]any{"kty": "oct", "k": "AAAA"}, false},
		"broken":              {map[string]any{"n": "!"}, false},
		"of no type":          {map[string]any{"n": 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			key := map[string]any{}
			for _, fields := range []map[string]any{listed.Keys[0], tc.change} {
				for field, value := range fields {
					key[field] = value
				}
			}
			var body bytes.Buffer
			if err := json.NewEncoder(&body).Encode(map[string]any{"keys": []any{key}}); err != nil {
				t.Fatal(err)
			}
			withJWKS(t, &issuer{body: body.String()}, func(t *testing.T, v *auth.Verifier) {
				accepts(t, v, p["RS256"], "k", tc.good)
			})
		})
	}
}

// A token without a kid is tried on the keys there are; with the empty kid, or that of nobody, on none.
func TestJWKSWithoutKid(t *testing.T) {
	t.Parallel()
	p := pairs(t)
	withJWKS(t, &issuer{body: set(t, p)}, func(t *testing.T, v *auth.Verifier) {
		for name, one := range p {
			if _, err := v.Verify(t.Context(), one.sign(t, one.method, nil)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			accepts(t, v, one, name, true)
			accepts(t, v, one, "", false)
		}
	})
}
