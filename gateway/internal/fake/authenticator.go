package fake

import (
	"context"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
)

// Authenticator knows tokens by heart. It is not changed once it is in use.
type Authenticator map[string]Identity

// Identity is whose a token is, and until when (zero: for ever).
type Identity struct {
	User    string
	Expires time.Time
	Err     error // what Verify answers instead
}

// Verify implements session.Authenticator.
func (a Authenticator) Verify(_ context.Context, token string) (string, time.Time, error) {
	who, known := a[token]
	if !known {
		return "", time.Time{}, &event.Error{Code: event.Unauthenticated, Message: "the token is not valid"}
	}
	return who.User, who.Expires, who.Err
}
