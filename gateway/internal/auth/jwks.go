package auth

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/MicahParks/jwkset"

	"github.com/fliliy/chat/gateway/internal/event"
)

const (
	refreshEvery = 30 * time.Second // a key that the issuer has removed is refused after this and fetchTimeout
	refreshLeast = 10 * time.Second // between fetches, whatever tokens come
	retryFirst   = time.Second      // between fetches as long as none has succeeded
	fetchTimeout = 5 * time.Second
	fetchWait    = 2 * time.Second // how long a token with a new kid waits for a fetch
	maxSet       = 1 << 20         // of a JWKS, in bytes
	maxSetKeys   = 100
	maxHeader    = 1 << 10 // of a token's header, encoded, in bytes
	maxUnnamed   = 8       // keys that are tried on a token without a kid
)

// JWKSOptions of a JWKS.
type JWKSOptions struct {
	// URL is where the keys are, from the configuration and nowhere else.
	URL       string
	Transport http.RoundTripper // the network when nil
	Logger    *slog.Logger      // nowhere when nil
}

// JWKS is the key set of an issuer (RFC 7517), read from a URL again and again. When a fetch fails, the keys of the last
// good one go on. It is safe for concurrent use.
type JWKS struct {
	url    string
	client *http.Client
	logger *slog.Logger
	keys   atomic.Pointer[keySet] // nil until the first fetch has succeeded
	wake   chan struct{}          // holds a token when a fetch is asked for

	mu      sync.Mutex
	pending chan struct{} // closed at the end of the fetch that is asked for or under way; nil: there is none
	started time.Time     // the last fetch
}

// keySet is what a fetch has brought. It is not changed any more.
type keySet struct {
	named map[string][]Key // by kid; several keys may share one
	all   []Key
}

// NewJWKS makes a JWKS that is empty until Run has fetched it.
func NewJWKS(opts JWKSOptions) *JWKS {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Transport == nil {
		opts.Transport = &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: fetchTimeout,
			MaxIdleConns:        1,
			IdleConnTimeout:     2 * refreshEvery,
		}
	}
	return &JWKS{
		url: opts.URL,
		client: &http.Client{
			Transport: opts.Transport,
			Timeout:   fetchTimeout,
			// The URL that was configured is the one that is asked.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		logger:  opts.Logger,
		wake:    make(chan struct{}, 1),
		pending: make(chan struct{}), // of the first fetch
	}
}

// Run fetches the keys, at once and then every 30 s, until the context ends. It returns nil and is called once.
func (j *JWKS) Run(ctx context.Context) error {
	defer j.client.CloseIdleConnections()
	retry := retryFirst
	for {
		failed := j.refresh(ctx)
		next := refreshEvery
		if failed != nil {
			next = refreshLeast
			if j.keys.Load() == nil {
				next, retry = retry, min(2*retry, refreshLeast)
			}
		}
		timer := time.NewTimer(next)
		select {
		case <-timer.C:
		case <-j.wake:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// Ready says whether there are keys; the error says what to look at.
func (j *JWKS) Ready(context.Context) error {
	if j.keys.Load() == nil {
		return errors.New("the JWKS of the issuer has not been read yet: see the log, and the way to its address")
	}
	return nil
}

// refresh fetches the keys and keeps them. Whoever waits for it goes on then.
func (j *JWKS) refresh(ctx context.Context) error {
	j.mu.Lock()
	if j.pending == nil {
		j.pending = make(chan struct{})
	}
	j.started = time.Now()
	select {
	case <-j.wake: // this fetch is the one that was asked for
	default:
	}
	j.mu.Unlock()
	set, err := j.fetch(ctx)
	if err == nil {
		j.keys.Store(set)
	} else if ctx.Err() == nil {
		j.logger.WarnContext(ctx, "the JWKS cannot be read; the keys of the last time go on", "error", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	close(j.pending)
	j.pending = nil
	return err
}

// ask has the keys fetched anew, unless that was done a moment ago, and returns a channel that is closed at the end of the
// fetch; nil when there is none to wait for.
func (j *JWKS) ask() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.pending != nil {
		return j.pending
	}
	if time.Since(j.started) < refreshLeast {
		return nil
	}
	j.pending = make(chan struct{})
	j.wake <- struct{}{} // never blocks: there is one token for each pending fetch, and Run takes it
	return j.pending
}

// candidates returns the keys that may have signed a token with this header, still encoded.
func (j *JWKS) candidates(ctx context.Context, header string) ([]Key, error) {
	if len(header) > maxHeader {
		return nil, errBad()
	}
	text, err := base64.RawURLEncoding.DecodeString(header)
	var named struct {
		KID *string `json:"kid"`
	}
	if err != nil || json.Unmarshal(text, &named) != nil {
		return nil, errBad()
	}
	if keys := j.find(named.KID); len(keys) > 0 {
		return keys, nil
	}
	if fetched := j.ask(); fetched != nil {
		patience := time.NewTimer(fetchWait)
		defer patience.Stop()
		select {
		case <-fetched:
		case <-patience.C:
		case <-ctx.Done():
		}
	}
	if j.keys.Load() == nil {
		return nil, &event.Error{
			Code: event.Unavailable, Message: "the keys that prove tokens cannot be read now: try again", RetryAfter: time.Second,
		}
	}
	return j.find(named.KID), nil
}

// find returns the keys of a kid, or those to try on a token without one.
func (j *JWKS) find(kid *string) []Key {
	set := j.keys.Load()
	switch {
	case set == nil:
		return nil
	case kid != nil:
		return set.named[*kid]
	}
	return set.all[:min(len(set.all), maxUnnamed)]
}

// fetch reads the key set.
func (j *JWKS) fetch(ctx context.Context) (*keySet, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, j.url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := j.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %s, want 200", response.Status)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxSet+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case len(body) > maxSet:
		return nil, fmt.Errorf("the answer is over %d bytes", maxSet)
	}
	return j.parse(ctx, body)
}

// parse takes the usable keys of a set. One that is of another kind, or for another use, is left out: issuers keep such
// keys in the same set.
func (j *JWKS) parse(ctx context.Context, body []byte) (*keySet, error) {
	var listed struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &listed); err != nil {
		return nil, fmt.Errorf("read the key set: %w", err)
	}
	if listed.Keys == nil || len(*listed.Keys) > maxSetKeys {
		return nil, fmt.Errorf("the answer is no key set of at most %d keys", maxSetKeys)
	}
	set := &keySet{named: make(map[string][]Key)}
	for _, text := range *listed.Keys {
		kid, key, err := usable(text)
		if err != nil {
			j.logger.DebugContext(ctx, "a key of the JWKS is not used", "reason", err)
			continue
		}
		set.all = append(set.all, key)
		set.named[kid] = append(set.named[kid], key)
	}
	if len(set.all) == 0 {
		j.logger.WarnContext(ctx, "the JWKS has no key for RS256, ES256 or EdDSA: every token of its issuer is refused",
			"keys", len(*listed.Keys))
	}
	return set, nil
}

// usable makes a key of one in a set, if it is for signatures by one of our algorithms. Certificates beside it, and links
// to such, are not looked at.
func usable(text json.RawMessage) (kid string, key Key, err error) {
	var m jwkset.JWKMarshal
	if err := json.Unmarshal(text, &m); err != nil {
		return "", Key{}, err
	}
	if m.USE != "" && m.USE != jwkset.UseSig {
		return "", Key{}, fmt.Errorf("its use is %q", m.USE)
	}
	if m.KTY == jwkset.KtyOct {
		return "", Key{}, errors.New("it is symmetric, and not secret where it stands")
	}
	jwk, err := jwkset.NewJWKFromMarshal(jwkset.JWKMarshal{
		KTY: m.KTY, KID: m.KID, ALG: m.ALG, CRV: m.CRV, X: m.X, Y: m.Y, N: m.N, E: m.E,
	}, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return "", Key{}, err
	}
	if key, err = PublicKey(jwk.Key()); err != nil {
		return "", Key{}, err
	}
	if m.ALG != "" && m.ALG.String() != key.method.Alg() {
		return "", Key{}, fmt.Errorf("its algorithm is %q", m.ALG)
	}
	return m.KID, key, nil
}
