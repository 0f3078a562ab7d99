package fake

import (
	"context"
	"sync"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/principal"
)

// Authenticator knows tokens by heart. It is not changed once it is in use.
type Authenticator map[string]Identity

// Check implements session.Authenticator: what was good is good, unless a token "revoked:" and the user's name says
// otherwise.
func (a Authenticator) Check(_ context.Context, who principal.Principal) error {
	return a["revoked:"+who.User].Err
}

// Identity is what a token says.
type Identity struct {
	User            string
	Issued, Expires time.Time
	Err             error // what Verify answers instead
}

// Verify implements session.Authenticator.
func (a Authenticator) Verify(_ context.Context, token string) (principal.Principal, error) {
	who, known := a[token]
	if !known {
		return principal.Principal{}, &event.Error{Code: event.Unauthenticated, Message: "the token is not valid"}
	}
	return principal.Principal{User: who.User, Issued: who.Issued, Expires: who.Expires}, who.Err
}

// Tickets are one-time tickets and what their tokens say. It is for use by its pointer.
type Tickets struct {
	mu    sync.Mutex
	known map[string]Identity
}

// Add makes a ticket.
func (t *Tickets) Add(ticket string, who Identity) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil {
		t.known = make(map[string]Identity)
	}
	t.known[ticket] = who
}

// Redeem implements session.Tickets.
func (t *Tickets) Redeem(_ context.Context, ticket string) (principal.Principal, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	who, known := t.known[ticket]
	if !known {
		return principal.Principal{}, &event.Error{Code: event.Unauthenticated, Message: "the ticket is not valid"}
	}
	delete(t.known, ticket)
	return principal.Principal{User: who.User, Issued: who.Issued, Expires: who.Expires}, who.Err
}
