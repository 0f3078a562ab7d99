package auth

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fliliy/chat/proto/identity"
)

// Sign makes a token with the claims "sub", "iat" and "exp" for the gen-token command and for development; ttl zero
// leaves "exp" out. Real tokens come from the marketplace's login.
func Sign(secret []byte, user string, ttl time.Duration) (string, error) {
	v, err := NewHS256(secret, Options{})
	if err != nil {
		return "", err
	}
	return v.Sign(user, ttl)
}

// Sign makes a token that this verifier accepts: with its user claim, issuer and audience. A ttl of zero leaves "exp"
// out, for which the verifier must have AllowNoExpiry. The verifier's first key must be a secret.
func (v *Verifier) Sign(user string, ttl time.Duration) (string, error) {
	if err := identity.ValidUserID(user); err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	if len(v.opts.Keys) == 0 || v.opts.Keys[0].method != jwt.SigningMethodHS256 {
		return "", errors.New("sign a token: there is no secret to sign with; only the issuer has the private key")
	}
	now := time.Now()
	claims := jwt.MapClaims{v.opts.UserClaim: user, "iat": now.Unix()}
	if ttl != 0 {
		claims["exp"] = now.Add(ttl).Unix()
	}
	if v.opts.Issuer != "" {
		claims["iss"] = v.opts.Issuer
	}
	if v.opts.Audience != "" {
		claims["aud"] = v.opts.Audience
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(v.opts.Keys[0].material)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return token, nil
}
