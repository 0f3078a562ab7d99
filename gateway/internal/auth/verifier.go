// Package auth tells whose token (JWT) a client shows, and until when it holds. It implements session.Authenticator and
// the check before a WebSocket upgrade. It is no permission system: what a user may do is chatsvc's to say.
//
// A token is signed with one of the keys that the configuration names: HS256 secrets, public keys for RS256, ES256 and
// EdDSA, and those of a JWKS. Each key has its algorithm, and nothing in a token's header can choose another one; of the
// header only kid is looked at, to find a key among those of the JWKS. An error never says what is wrong with a token,
// except that a token with a good signature has expired, so that the client can fetch a new one.
package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/principal"
)

const (
	// MaxToken is the greatest length of a token, in bytes; longer ones are refused unread.
	MaxToken = 8 << 10

	defaultUserClaim = "sub"
	defaultLeeway    = 5 * time.Second
	maxLeeway        = time.Minute
)

// Options say what a token must be like. The zero value asks for "sub" and "exp".
type Options struct {
	Keys      []Key  // any of them may have signed the token
	JWKS      *JWKS  // or any of its keys; nil: there is none
	UserClaim string // the claim with the user id; "sub" when empty
	// Leeway is how far the clocks of the issuer and of this machine may differ: 5 s when zero, none when negative,
	// at most a minute.
	Leeway        time.Duration
	AllowNoExpiry bool   // accept tokens without "exp", which hold for ever
	Issuer        string // "iss" must be this, unless empty
	Audience      string // "aud" must contain this, unless empty
	// Revocations are asked about every good token; nil: nothing is ever revoked.
	Revocations Revocations
}

// Verifier checks tokens. It is safe for concurrent use.
type Verifier struct {
	opts      Options
	parser    *jwt.Parser
	validator *jwt.Validator
}

// NewHS256 makes a verifier for one secret of at least MinSecret bytes.
func NewHS256(secret []byte, opts Options) (*Verifier, error) {
	key, err := Secret(secret)
	if err != nil {
		return nil, err
	}
	opts.Keys = append([]Key{key}, opts.Keys...)
	return New(opts)
}

// New makes a verifier. It needs a key, or a JWKS.
func New(opts Options) (*Verifier, error) {
	if len(opts.Keys) == 0 && opts.JWKS == nil {
		return nil, errors.New("no key for tokens: give a secret, a public key or a JWKS")
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
		opts:      opts,
		parser:    jwt.NewParser(jwt.WithJSONNumber(), jwt.WithStrictDecoding()),
		validator: jwt.NewValidator(rules...),
	}, nil
}

// Verify tells whose token this is, since when it holds, and from when on Verify will refuse it: "exp" plus the leeway,
// or zero where the token holds for ever. Errors are *event.Error: TOKEN_EXPIRED for a token whose only fault is its age,
// UNAVAILABLE when keys or revocations are not known yet, UNAUTHENTICATED with one and the same text for all others. It
// does no input or output, but for a token whose kid is not in the JWKS it may wait a moment while that is read anew.
func (v *Verifier) Verify(ctx context.Context, token string) (principal.Principal, error) {
	key, err := v.signer(ctx, token)
	if err != nil {
		return nobody, err
	}
	// signer has checked the signature, over these very bytes; what is left is to read them.
	claims := jwt.MapClaims{}
	parsed, _, err := v.parser.ParseUnverified(token, claims)
	if err != nil || parsed.Header["alg"] != key.method.Alg() || !plain(parsed.Header) {
		return nobody, errBad()
	}
	who, err := v.read(claims)
	if err != nil {
		return nobody, err
	}
	if err := v.Check(ctx, who); err != nil {
		return nobody, err
	}
	return who, nil
}

// Check tells whether the token that said so was revoked since. Errors are those of Verify.
func (v *Verifier) Check(ctx context.Context, who principal.Principal) error {
	if v.opts.Revocations == nil {
		return nil
	}
	return v.opts.Revocations.Check(ctx, who)
}

// nobody is the principal of an error.
var nobody principal.Principal

// plain says whether a header is without what would name a key, or would change the meaning of the token in a way that
// nobody here understands (RFC 7515 section 4.1.11).
func plain(header map[string]any) bool {
	for _, name := range []string{"jku", "jwk", "x5u", "x5c", "crit"} {
		if _, there := header[name]; there {
			return false
		}
	}
	return true
}

// signer returns the key that signed the token, before anything of it but a small header is decoded: who has no key can
// make us compute one signature for each key, over at most MaxToken bytes, and no more.
func (v *Verifier) signer(ctx context.Context, token string) (*Key, error) {
	if len(token) > MaxToken || strings.Count(token, ".") != 2 {
		return nil, errBad()
	}
	dot := strings.LastIndexByte(token, '.')
	text, encoded := token[:dot], token[dot+1:]
	var buffer [maxSignature]byte
	if base64.RawURLEncoding.DecodedLen(len(encoded)) > len(buffer) {
		return nil, errBad()
	}
	n, err := base64.RawURLEncoding.Strict().Decode(buffer[:], []byte(encoded))
	if err != nil {
		return nil, errBad()
	}
	if key := signedBy(v.opts.Keys, text, buffer[:n]); key != nil {
		return key, nil
	}
	if v.opts.JWKS == nil {
		return nil, errBad()
	}
	keys, err := v.opts.JWKS.candidates(ctx, text[:strings.IndexByte(text, '.')])
	if err != nil {
		return nil, err
	}
	if key := signedBy(keys, text, buffer[:n]); key != nil {
		return key, nil
	}
	return nil, errBad()
}

func signedBy(keys []Key, text string, signature []byte) *Key {
	for i := range keys {
		if keys[i].signed(text, signature) {
			return &keys[i]
		}
	}
	return nil
}

func errBad() error {
	return &event.Error{Code: event.Unauthenticated, Message: "the token is not valid: sign in again"}
}

func errExpired() error {
	return &event.Error{Code: event.TokenExpired, Message: "the token has expired: get a new one and connect again"}
}
