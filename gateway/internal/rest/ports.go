package rest

import (
	"context"
	"time"
)

// Authenticator tells whose token this is and when it ends (zero: never). Errors are *event.Error.
type Authenticator interface {
	Verify(ctx context.Context, token string) (user string, expires time.Time, err error)
}
