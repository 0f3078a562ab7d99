package auth

import (
	"encoding/json"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fliliy/chat/proto/identity"
)

// The last second of the year 9999: what RFC 3339 and most of the world can still write.
const maxDate = 253402300799

// read checks the claims of a token whose signature is good.
func (v *Verifier) read(claims jwt.MapClaims) (user string, expires time.Time, err error) {
	for _, name := range []string{"exp", "nbf", "iat"} {
		if !wellFormedDate(claims, name) {
			return "", time.Time{}, errBad()
		}
	}
	user, ok := claims[v.opts.UserClaim].(string)
	if !ok || identity.ValidUserID(user) != nil {
		return "", time.Time{}, errBad()
	}
	exp, dated := claims["exp"]
	if !dated && !v.opts.AllowNoExpiry {
		return "", time.Time{}, errBad()
	}
	// The age is judged last and by itself, so that TOKEN_EXPIRED says: all else is good.
	delete(claims, "exp")
	if v.validator.Validate(claims) != nil {
		return "", time.Time{}, errBad()
	}
	if !dated {
		return user, time.Time{}, nil
	}
	seconds, err := exp.(json.Number).Int64()
	if err != nil {
		return "", time.Time{}, errBad()
	}
	expires = time.Unix(seconds, 0).Add(v.opts.Leeway)
	if !time.Now().Before(expires) {
		return "", time.Time{}, errExpired()
	}
	return user, expires, nil
}

// wellFormedDate says whether a date claim is absent, or a whole number of seconds in the years 1970 to 9999. RFC 7519
// lets a date have a fraction or an exponent; no issuer we know writes one, and numbers outside int64 would turn into
// arbitrary dates.
func wellFormedDate(claims jwt.MapClaims, name string) bool {
	value, there := claims[name]
	if !there {
		return true
	}
	number, ok := value.(json.Number)
	if !ok {
		return false
	}
	seconds, err := number.Int64()
	return err == nil && seconds >= 0 && seconds <= maxDate
}
