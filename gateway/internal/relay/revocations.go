package relay

import (
	"context"

	"github.com/fliliy/chat/gateway/internal/principal"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// Revocations returns a page of the revocations after a number, in their order, and the greatest number there is. Errors
// are *event.Error.
func (r *Relay) Revocations(ctx context.Context, after int64) ([]principal.Revocation, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, r.callTimeout)
	defer cancel()
	response, err := ask(ctx, r.callTimeout, r.client.ListRevocations, &chatv1.ListRevocationsRequest{After: after})
	if err != nil {
		return nil, 0, r.failed("list revocations", err)
	}
	page := make([]principal.Revocation, len(response.GetRevocations()))
	for i, one := range response.GetRevocations() {
		page[i] = principal.Revocation{
			Number: one.GetNumber(), User: one.GetUserId(), Reason: one.GetReason(),
			IssuedBefore: one.GetIssuedBefore().AsTime(), Until: one.GetUntil().AsTime(),
		}
	}
	return page, response.GetHead(), nil
}
