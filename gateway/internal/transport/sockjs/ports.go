package sockjs

import (
	"context"
	"net/http"

	"github.com/fliliy/chat/gateway/internal/transport"
)

// Peers finds the sessions that live on other gateways, and carries requests to them. A session is named by a hash of
// its id. All methods are bounded in time.
type Peers interface {
	// Owner is who holds a session; "" when nobody does, or this gateway.
	Owner(ctx context.Context, session string) (string, error)
	// Claim makes this gateway the owner; where another one is already, it returns that one instead.
	Claim(ctx context.Context, session string) (owner string, err error)
	// Release gives a claimed session up, and returns at once.
	Release(session string)
	// Carry answers a request with what the owner answers; with 404 where the owner cannot be reached.
	Carry(w http.ResponseWriter, r *http.Request, owner, session string)
}

// Pipe is a WebSocket under SockJS framing.
type Pipe interface {
	// ReadMessage appends the next message to dst, whole; one above limit bytes closes.
	ReadMessage(ctx context.Context, dst []byte, limit int) ([]byte, error)
	// Write sends each element as one message.
	Write(ctx context.Context, messages [][]byte) error
	// Close closes with a code and a reason.
	Close(code transport.CloseCode, reason string) error
}
