package ticket

import (
	"context"

	"github.com/fliliy/chat/gateway/internal/principal"
)

// Verifier tells what a token says, if it is good. Errors are *event.Error.
type Verifier interface {
	Verify(ctx context.Context, token string) (principal.Principal, error)
}
