package revocation

import (
	"context"

	"github.com/fliliy/chat/gateway/internal/principal"
)

// Source is who keeps revocations: the chat service.
type Source interface {
	// Revocations returns a page of those after a number, in their order, and the greatest number there is.
	Revocations(ctx context.Context, after int64) ([]principal.Revocation, int64, error)
}

// Sessions are this gateway's.
type Sessions interface {
	// Revoke ends the sessions of the revocation's user whose tokens it covers. It returns at once. Sessions that begin
	// later are not its business: they ask Check.
	Revoke(r *principal.Revocation)
}
