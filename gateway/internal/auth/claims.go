package auth

import (
	"encoding/json"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fliliy/chat/gateway/internal/principal"
	"github.com/fliliy/chat/proto/identity"
)

// The last second of the year 9999: what RFC 3339 and most of the world can still write.
const maxDate = 253402300799

// read checks the claims of a token whose signature is good.
func (v *Verifier) read(claims jwt.MapClaims) (principal.Principal, error) {
	var who principal.Principal
	for name, at := range map[string]*time.Time{"exp": &who.Expires, "nbf": new(time.Time), "iat": &who.Issued} {
		if !readDate(claims, name, at) {
			return nobody, errBad()
		}
	}
	user, ok := claims[v.opts.UserClaim].(string)
	if !ok || identity.ValidUserID(user) != nil {
		return nobody, errBad()
	}
	who.User = user
	if who.Expires.IsZero() && !v.opts.AllowNoExpiry {
		return nobody, errBad()
	}
	// The age is judged last and by itself, so that TOKEN_EXPIRED says: all else is good.
	delete(claims, "exp")
	if v.validator.Validate(claims) != nil {
		return nobody, errBad()
	}
	if who.Expires.IsZero() {
		return who, nil
	}
	who.Expires = who.Expires.Add(v.opts.Leeway)
	if !time.Now().Before(who.Expires) {
		return nobody, errExpired()
	}
	return who, nil
}

// readDate reads a date claim, and says whether it is absent, or a whole number of seconds in the years 1970 to 9999.
// RFC 7519 lets a date have a fraction or an exponent; no issuer we know writes one, and numbers outside int64 would
// turn into arbitrary dates.
func readDate(claims jwt.MapClaims, name string, at *time.Time) bool {
	value, there := claims[name]
	if !there {
		return true
	}
	number, ok := value.(json.Number)
	if !ok {
		return false
	}
	seconds, err := number.Int64()
	*at = time.Unix(seconds, 0)
	return err == nil && seconds >= 0 && seconds <= maxDate
}
