package conformance

import (
	"context"

	"github.com/fliliy/chat/gateway/internal/transport"
	"github.com/fliliy/chat/gateway/internal/transport/ws"
)

// Echo sends every WebSocket message back as it came, text or binary, until the client closes: what suites of the
// WebSocket protocol expect of a server.
func Echo(ctx context.Context, c *ws.Conn, _ transport.Handshake) {
	var message []byte
	for {
		got, text, err := c.Receive(ctx, message[:0])
		if err != nil {
			return
		}
		if err := c.Send(ctx, got, text); err != nil {
			return
		}
		message = got
	}
}
