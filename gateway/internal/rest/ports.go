package rest

import (
	"context"

	"github.com/fliliy/chat/gateway/internal/principal"
)

// Authenticator tells what a token says, if it is good. Errors are *event.Error.
type Authenticator interface {
	Verify(ctx context.Context, token string) (principal.Principal, error)
}

// Tickets makes one-time tickets for tokens. Errors are *event.Error.
type Tickets interface {
	Issue(ctx context.Context, token string) (ticket string, err error)
}
