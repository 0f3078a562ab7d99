package chat

import (
	"context"
	"fmt"
	"time"
)

const (
	// MaxReason is the largest length of the reason of a revocation, in bytes.
	MaxReason = 256
	// maxAhead is how far in the future a revocation may reach, and how long a token may be accepted after its end: as
	// far as clocks may differ.
	maxAhead = time.Minute
	// maxRevocations is the largest page of revocations.
	maxRevocations = 1_000
)

// Revocation says that tokens of a user are refused, everywhere.
type Revocation struct {
	Number       int64 // later ones have greater numbers
	UserID       string
	IssuedBefore time.Time // tokens that were issued before are refused; a whole second, as a token's "iat" is
	Reason       string    // for the user to read, or empty
	Until        time.Time // then all such tokens have expired
}

// RevocationAsk is what a store is asked to revoke.
type RevocationAsk struct {
	UserID       string
	Reason       string
	IssuedBefore time.Time     // zero: now, by the database's clock
	TokenLife    time.Duration // how long after that a token may hold at most
}

// Revocations is the use cases around tokens that are refused before their time. Safe for concurrent use.
type Revocations struct {
	store  RevocationStore
	herald Herald
	life   time.Duration
}

// NewRevocations returns the use cases over a store. No token may hold for longer than the life given: a revocation is
// forgotten after it.
func NewRevocations(store RevocationStore, herald Herald, life time.Duration) *Revocations {
	return &Revocations{store: store, herald: herald, life: life}
}

// Revoke revokes the user's tokens that were issued before a moment (zero: now) and returns what stands then: this
// revocation, or an earlier one that reaches further.
func (r *Revocations) Revoke(ctx context.Context, user, reason string, before time.Time) (Revocation, error) {
	if err := ValidUserID(user); err != nil {
		return Revocation{}, err
	}
	if err := validLine("reason", reason, MaxReason); err != nil {
		return Revocation{}, err
	}
	if before.After(time.Now().Add(maxAhead)) {
		return Revocation{}, refuse(Invalid, "tokens_issued_before is %s, which is in the future: tokens that do not exist"+
			" yet cannot be revoked", before.UTC().Format(time.RFC3339))
	}
	ask := RevocationAsk{UserID: user, Reason: reason, TokenLife: r.life + maxAhead}
	if !before.IsZero() {
		ask.IssuedBefore = wholeSecond(before)
	}
	revoked, err := r.store.Revoke(ctx, ask)
	if err != nil {
		return Revocation{}, fmt.Errorf("revoke tokens: %w", err)
	}
	r.herald.Revoked(revoked.Number)
	return revoked, nil
}

// wholeSecond rounds up: a token of that very second may have been issued before.
func wholeSecond(at time.Time) time.Time {
	whole := at.UTC().Truncate(time.Second)
	if whole.Before(at) {
		return whole.Add(time.Second)
	}
	return whole
}

// List returns a page of the revocations after a number, in their order, and the greatest number there is.
func (r *Revocations) List(ctx context.Context, after int64) ([]Revocation, int64, error) {
	if after < 0 {
		return nil, 0, refuse(Invalid, "after is %d: use a number of a revocation, or 0 for the first", after)
	}
	revocations, head, err := r.store.Revocations(ctx, after, maxRevocations)
	if err != nil {
		return nil, 0, fmt.Errorf("list revocations: %w", err)
	}
	return revocations, head, nil
}
