package auth

import (
	"context"

	"github.com/fliliy/chat/gateway/internal/principal"
)

// Revocations knows which tokens are refused before their time. It is asked about every good token, so it must be fast.
type Revocations interface {
	// Check returns an error, *event.Error, when the principal's token is revoked or when that cannot be known.
	Check(ctx context.Context, who principal.Principal) error
}
