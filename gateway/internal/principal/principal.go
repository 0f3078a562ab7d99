// Package principal is the word of the house for whom a connection or a request acts: the user that a good token names,
// with the times that decide how long it does; and for what ends that early. It checks nothing: auth makes principals,
// transports carry them to sessions, revocation ends them.
package principal

import "time"

// Principal is what a good token says. The zero value is nobody: a client that has shown no token yet.
type Principal struct {
	User    string
	Issued  time.Time // when the token was made; zero where it does not say
	Expires time.Time // from when on it is refused, leeway included; zero: never
}

// Revocation says that tokens of a user are refused before their time.
type Revocation struct {
	Number       int64 // later ones have greater numbers
	User         string
	IssuedBefore time.Time // tokens that were issued before are refused, and those that do not say when
	Reason       string    // for the user to read, or empty
	Until        time.Time // then all such tokens have expired
}

// Covers says whether the revocation is about a token of its user that was issued then; the zero time, of a token that
// does not say, is before all others.
func (r *Revocation) Covers(issued time.Time) bool {
	return issued.Before(r.IssuedBefore)
}
