// Package principal is the word of the house for whom a connection or a request acts: the user that a good token names,
// with the times that decide how long it does. It checks nothing: auth makes principals, transports carry them to
// sessions, revocation ends them.
package principal

import "time"

// Principal is what a good token says. The zero value is nobody: a client that has shown no token yet.
type Principal struct {
	User    string
	Issued  time.Time // when the token was made; zero where it does not say
	Expires time.Time // from when on it is refused, leeway included; zero: never
}
