package conformance

import (
	"context"
	"errors"
	"strings"

	"github.com/fliliy/chat/gateway/internal/destination"
	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/principal"
)

const (
	topics = "/topic/"
	queues = "/queue/"
	guest  = "guest"
)

func isTopic(name string) bool { return strings.HasPrefix(name, topics) }

var errDestination = errors.New("the destination has to begin with /topic/ or /queue/ and have 8 to 255 bytes")

// ParseSend implements session.Destinations.
func (*Broker) ParseSend(name string) (destination.Destination, error) {
	switch {
	case len(name) > 255, len(name) <= len(topics):
	case isTopic(name), strings.HasPrefix(name, queues):
		return destination.Destination{Kind: destination.Plain}, nil
	}
	return destination.Destination{}, errDestination
}

// ParseSubscribe implements session.Destinations.
func (b *Broker) ParseSubscribe(name string) (destination.Destination, error) {
	return b.ParseSend(name)
}

// Verify implements session.Authenticator: the passcode guest is good with any login, all else is not.
func (*Broker) Verify(_ context.Context, passcode string) (principal.Principal, error) {
	if passcode != guest {
		return principal.Principal{}, &event.Error{Code: event.Unauthenticated, Message: "the passcode has to be guest"}
	}
	return principal.Principal{User: guest}, nil
}

// Check implements session.Authenticator: nothing is ever revoked.
func (*Broker) Check(context.Context, principal.Principal) error { return nil }

// Connect implements session.Presence, as do the methods below: nobody is told who is there.
func (*Broker) Connect(string, string) {}

// Disconnect implements session.Presence.
func (*Broker) Disconnect(string, string) {}

// Enter implements session.Presence.
func (*Broker) Enter(string, string, int64) {}

// Leave implements session.Presence.
func (*Broker) Leave(string, string, int64) {}

// SetStatus implements session.Presence.
func (*Broker) SetStatus(string, string, string) {}
