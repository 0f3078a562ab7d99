// Package transport holds what all transports of the gateway share: close codes and the errors a pipe ends with.
// The transports themselves (ws, sockjs) are its sub-packages; a transport moves bytes and knows no STOMP.
package transport

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/fliliy/chat/gateway/internal/principal"
)

// Handshake is what the request that opened a connection said about the client.
type Handshake struct {
	principal.Principal        // of the token it showed, verified; zero without a token
	RemoteAddr          string // host:port of the TCP peer, which may be a proxy
}

// MaxReason is the longest reason of a close, in bytes (RFC 6455 section 5.5).
const MaxReason = 123

// CloseCode is a WebSocket close code (RFC 6455 section 7.4).
type CloseCode uint16

// The close codes this gateway sends.
const (
	CloseNormal         CloseCode = 1000 // DISCONNECT
	CloseGoingAway      CloseCode = 1001 // drain
	CloseProtocol       CloseCode = 1002 // STOMP or WebSocket protocol broken
	CloseInvalidUTF8    CloseCode = 1007 // a text message or a close reason that is no UTF-8
	ClosePolicy         CloseCode = 1008 // token or policy
	CloseTooLarge       CloseCode = 1009 // a frame over its limit
	CloseInternal       CloseCode = 1011 // a fault of ours
	CloseServiceRestart CloseCode = 1012 // drain
	CloseTryLater       CloseCode = 1013 // slow consumer or overload
)

// ClosedError is how a pipe's Read and Write end once the peer, or this side, has closed it with a code.
type ClosedError struct {
	Code   CloseCode
	Reason string
}

func (e *ClosedError) Error() string {
	return fmt.Sprintf("connection closed with code %d %q", e.Code, e.Reason)
}

// MendReason makes any text fit for a close reason: UTF-8, and not too long.
func MendReason(reason string) string {
	reason = strings.ToValidUTF8(reason, "?")
	for len(reason) > MaxReason {
		_, size := utf8.DecodeLastRuneInString(reason)
		reason = reason[:len(reason)-size]
	}
	return reason
}
