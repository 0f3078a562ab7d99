// Package auth tells whose token (JWT) a client shows, and until when it holds. It implements session.Authenticator and
// the check before a WebSocket upgrade. It is no permission system: what a user may do is chatsvc's to say.
//
// Tokens are signed with HS256 and nothing else: the algorithm is pinned here and never taken from the token's header,
// and no header (kid, jku, x5u, jwk) can name a key. An error never says what is wrong with a token, except that a
// token with a good signature has expired, so that the client can fetch a new one.
package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/principal"
)

const (
	// MinSecret is the least length of an HS256 secret, in bytes (RFC 7518 section 3.2: not below the hash's output).
	MinSecret = 32
	// MaxToken is the greatest length of a token, in bytes; longer ones are refused unread.
	MaxToken = 8 << 10

	defaultUserClaim = "sub"
	defaultLeeway    = 5 * time.Second
	maxLeeway        = time.Minute
)

// Options say what a token must be like. The zero value asks for "sub" and "exp".
type Options struct {
	UserClaim string // the claim with the user id; "sub" when empty
	// Leeway is how far the clocks of the issuer and of this machine may differ: 5 s when zero, none when negative,
	// at most a minute.
	Leeway        time.Duration
	AllowNoExpiry bool   // accept tokens without "exp", which hold for ever
	Issuer        string // "iss" must be this, unless empty
	Audience      string // "aud" must contain this, unless empty
}

// Verifier checks HS256 tokens. It is safe for concurrent use.
type Verifier struct {
	secret    []byte
	opts      Options
	parser    *jwt.Parser
	validator *jwt.Validator
}

// NewHS256 makes a verifier for one secret of at least MinSecret bytes.
func NewHS256(secret []byte, opts Options) (*Verifier, error) {
	if len(secret) < MinSecret {
		return nil, fmt.Errorf("the token secret has %d bytes: give one of at least %d random bytes", len(secret), MinSecret)
	}
	if opts.Leeway > maxLeeway {
		return nil, fmt.Errorf("a token leeway of %v is too long: at most %v is allowed", opts.Leeway, maxLeeway)
	}
	if opts.UserClaim == "" {
		opts.UserClaim = defaultUserClaim
	}
	switch {
	case opts.Leeway == 0:
		opts.Leeway = defaultLeeway
	case opts.Leeway < 0:
		opts.Leeway = 0
	}
	rules := []jwt.ParserOption{jwt.WithLeeway(opts.Leeway), jwt.WithIssuedAt()}
	if opts.Issuer != "" {
		rules = append(rules, jwt.WithIssuer(opts.Issuer))
	}
	if opts.Audience != "" {
		rules = append(rules, jwt.WithAudience(opts.Audience))
	}
	return &Verifier{
		secret: append([]byte(nil), secret...),
		opts:   opts,
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
			jwt.WithJSONNumber(), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation(),
		),
		validator: jwt.NewValidator(rules...),
	}, nil
}

// Verify tells whose token this is, since when it holds, and from when on Verify will refuse it: "exp" plus the leeway,
// or zero where the token holds for ever. Errors are *event.Error: TOKEN_EXPIRED for a token whose only fault is its age,
// UNAUTHENTICATED with one and the same text for all others. It does no input or output.
func (v *Verifier) Verify(_ context.Context, token string) (principal.Principal, error) {
	if !v.signed(token) {
		return nobody, errBad()
	}
	claims := jwt.MapClaims{}
	parsed, err := v.parser.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return v.secret, nil })
	if err != nil {
		return nobody, errBad()
	}
	if _, critical := parsed.Header["crit"]; critical { // RFC 7515 section 4.1.11: we understand no extension
		return nobody, errBad()
	}
	return v.read(claims)
}

// nobody is the principal of an error.
var nobody principal.Principal

// signed says whether the token carries a good signature, before anything of it is decoded: who has no key can make
// us compute one hash over at most MaxToken bytes, and no more.
func (v *Verifier) signed(token string) bool {
	if len(token) > MaxToken {
		return false
	}
	dot := strings.LastIndexByte(token, '.')
	if dot < 0 {
		return false
	}
	var signature [sha256.Size]byte
	encoded := token[dot+1:]
	if len(encoded) != base64.RawURLEncoding.EncodedLen(len(signature)) {
		return false
	}
	n, err := base64.RawURLEncoding.Decode(signature[:], []byte(encoded))
	if err != nil {
		return false
	}
	return jwt.SigningMethodHS256.Verify(token[:dot], signature[:n], v.secret) == nil
}

func errBad() error {
	return &event.Error{Code: event.Unauthenticated, Message: "the token is not valid: sign in again"}
}

func errExpired() error {
	return &event.Error{Code: event.TokenExpired, Message: "the token has expired: get a new one and connect again"}
}
