package conformance

import (
	"context"

	"github.com/fliliy/chat/gateway/internal/transport"
	"github.com/fliliy/chat/gateway/internal/transport/ws"
)

// Conn is a connection that carries text messages, by whichever transport.
type Conn interface {
	Read(ctx context.Context) ([]byte, error)
	Write(ctx context.Context, messages [][]byte) error
	Close(code transport.CloseCode, reason string) error
}

// Repeat sends every message back, until the client goes: what suites of SockJS expect of most services.
func Repeat(ctx context.Context, c Conn) {
	for {
		message, err := c.Read(ctx)
		if err != nil || c.Write(ctx, [][]byte{message}) != nil {
			return
		}
	}
}

// GoAway closes at once, in the words that suites of SockJS expect of one service.
func GoAway(c Conn) { _ = c.Close(3000, "Go away!") }

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
