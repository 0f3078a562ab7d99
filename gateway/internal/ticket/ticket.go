// Package ticket gives a client a one-time ticket for its token, so that no token needs to stand in a URL, where logs,
// histories and proxies keep it. A ticket opens one connection, within Life, on any gateway. It grants nothing that the
// token does not: the token is verified again when the ticket is used. Package rest hands tickets out; the transports
// (in the URL) and sessions (in CONNECT) take them.
//
// Between the two the token lies in Redis, sealed. Both its name there and the key that opens it are derived from the
// ticket, which itself is never stored: who reads Redis has neither tickets nor tokens, and who writes to it can make no
// token that verifies. Reading takes it away (GETDEL), so that of many uses at once exactly one wins.
package ticket

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/metrics"
	"github.com/fliliy/chat/gateway/internal/principal"
)

const (
	// Life is how long a ticket can be used.
	Life = 30 * time.Second

	size        = 16 // bytes of a ticket: 128 random bits
	keyPrefix   = "fliliy:ticket:"
	callTimeout = time.Second // of Redis
)

// Office hands tickets out and takes them. It is safe for concurrent use.
type Office struct {
	rdb     redis.UniversalClient
	tokens  Verifier
	metrics *metrics.Metrics // nil: nothing is counted
}

// New makes an office. All gateways that share the Redis take each other's tickets.
func New(rdb redis.UniversalClient, tokens Verifier, counts *metrics.Metrics) *Office {
	return &Office{rdb: rdb, tokens: tokens, metrics: counts}
}

// Issue makes a ticket for a token that the caller has verified. The error is an *event.Error, UNAVAILABLE.
func (o *Office) Issue(ctx context.Context, token string) (ticket string, err error) {
	raw := make([]byte, size)
	_, _ = rand.Read(raw) // never fails: see its documentation
	key, seal, err := open(raw)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	sealed := seal.Seal(nil, nil, []byte(token), []byte(key)) //nolint:gosec // it makes its own random nonces
	if err := o.rdb.Set(ctx, key, sealed, Life).Err(); err != nil {
		o.count(metrics.TicketAway)
		return "", away()
	}
	o.count(metrics.TicketIssued)
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// Redeem uses a ticket up and tells what its token says. Errors are *event.Error: those of the token's verification,
// UNAVAILABLE when Redis cannot be asked, and one UNAUTHENTICATED for tickets that are unknown, used, too old or none.
func (o *Office) Redeem(ctx context.Context, ticket string) (principal.Principal, error) {
	token, err := o.take(ctx, ticket)
	if err != nil {
		return principal.Principal{}, err
	}
	o.count(metrics.TicketUsed)
	return o.tokens.Verify(ctx, token)
}

func (o *Office) take(ctx context.Context, ticket string) (token string, err error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(ticket)
	if err != nil || len(raw) != size {
		return "", o.refuse()
	}
	key, seal, err := open(raw)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	sealed, err := o.rdb.GetDel(ctx, key).Bytes()
	if errors.Is(err, redis.Nil) {
		return "", o.refuse()
	}
	if err != nil {
		o.count(metrics.TicketAway)
		return "", away()
	}
	opened, err := seal.Open(nil, nil, sealed, []byte(key))
	if err != nil {
		return "", o.refuse()
	}
	return string(opened), nil
}

// open derives from a ticket where its token lies and what seals it there. Each key seals one token only.
func open(ticket []byte) (key string, seal cipher.AEAD, err error) {
	name, err := hkdf.Key(sha256.New, ticket, nil, "fliliy ticket: name", sha256.Size)
	if err != nil {
		return "", nil, fmt.Errorf("derive the name of a ticket: %w", err)
	}
	secret, err := hkdf.Key(sha256.New, ticket, nil, "fliliy ticket: seal", sha256.Size)
	if err != nil {
		return "", nil, fmt.Errorf("derive the key of a ticket: %w", err)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return "", nil, fmt.Errorf("make the cipher of a ticket: %w", err)
	}
	if seal, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return "", nil, fmt.Errorf("make the seal of a ticket: %w", err)
	}
	return keyPrefix + base64.RawURLEncoding.EncodeToString(name), seal, nil
}

func (o *Office) refuse() error {
	o.count(metrics.TicketRefused)
	return &event.Error{
		Code:    event.Unauthenticated,
		Message: fmt.Sprintf("the ticket is not valid: get a new one; each is good once, within %v", Life),
	}
}

func away() error {
	return &event.Error{
		Code: event.Unavailable, Message: "tickets cannot be had just now: try again, or show the token itself",
		RetryAfter: time.Second,
	}
}

func (o *Office) count(outcome string) {
	if o.metrics != nil {
		o.metrics.Tickets.Inc(outcome)
	}
}
