package peer

import (
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	passIssuer = "fliliy-gateway"
	passLife   = time.Minute
	passLeeway = time.Minute // between the clocks of gateways
)

// pass proves to one gateway, for a short while, that a request comes from another. The secret itself never travels: an
// address in Redis that is not a gateway's gets nothing that is of use elsewhere.
func (p *Peers) pass(audience string) string {
	claims := jwt.RegisteredClaims{
		Issuer: passIssuer, Audience: jwt.ClaimStrings{audience},
		ExpiresAt: jwt.NewNumericDate(time.Now().Add(passLife)),
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(p.opts.Secret)
	if err != nil {
		return "" // it is refused there
	}
	return signed
}

// guard lets in what other gateways carry here, and puts the client's address where handlers look for it.
func (p *Peers) guard(next http.Handler) http.Handler {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithIssuer(passIssuer),
		jwt.WithAudience(p.url), jwt.WithExpirationRequired(), jwt.WithLeeway(passLeeway))
	key := func(*jwt.Token) (any, error) { return p.opts.Secret, nil }
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := parser.Parse(r.Header.Get(passHeader), key); err != nil {
			p.opts.Logger.Warn("a request that is not of a gateway was refused: is the secret the same everywhere?",
				"from", r.RemoteAddr, "error", err)
			http.Error(w, "for gateways only", http.StatusForbidden)
			return
		}
		r.RemoteAddr = r.Header.Get(addressHeader)
		r.Header.Del(passHeader)
		r.Header.Del(addressHeader)
		next.ServeHTTP(w, r)
	})
}
