package peer

import "context"

// Renew is what happens every renewEvery.
func (p *Peers) Renew(ctx context.Context) { p.renew(ctx) }

// PassHeader and KeyPrefix are for tests of what others may not do.
const (
	PassHeader = passHeader
	KeyPrefix  = keyPrefix
)
