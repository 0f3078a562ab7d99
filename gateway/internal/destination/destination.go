// Package destination reads and prints the STOMP destinations of the contract: text of a client in, a kind and a room
// id out. It is the only place that takes destinations apart; behind it there are no strings a client typed.
//
// It knows no frame and no session, and does not decide who may use a destination. The session calls it for SEND and
// SUBSCRIBE.
package destination

import "strconv"

// Kind is what a destination is for.
type Kind uint8

// The kinds, those for SEND first, then those for SUBSCRIBE.
const (
	RoomSend   Kind = iota + 1 // /app/chat/{chatRoomId}/send
	RoomRead                   // /app/chat/{chatRoomId}/read
	RoomTyping                 // /app/chat/{chatRoomId}/typing
	RoomEdit                   // /app/chat/{chatRoomId}/edit
	RoomRecall                 // /app/chat/{chatRoomId}/recall
	UserStatus                 // /app/user/status
	UserToken                  // /app/user/token

	RoomTopic // /topic/chat/{chatRoomId}
	Inbox     // /user/queue/messages
	Errors    // /user/queue/errors

	// Plain is a destination without a meaning of the contract, for SEND and SUBSCRIBE alike. Only a plain broker has
	// any: the conformance broker.
	Plain
)

// Destination is a destination that was understood. It is a map key.
type Destination struct {
	Kind Kind
	Room int64 // > 0 for the kinds of a room, else 0
}

// Contract understands the destinations of the contract, and no other. It is session.Destinations for the gateway.
type Contract struct{}

// ParseSend is the function of the same name.
func (Contract) ParseSend(name string) (Destination, error) { return ParseSend(name) }

// ParseSubscribe is the function of the same name.
func (Contract) ParseSubscribe(name string) (Destination, error) { return ParseSubscribe(name) }

const (
	appRoom = "/app/chat/"
	topic   = "/topic/chat/"
)

// String is the one way to write the destination; parsing it gives the same back. It is empty for no kind.
func (d Destination) String() string {
	room := strconv.FormatInt(d.Room, 10)
	switch d.Kind {
	case RoomSend:
		return appRoom + room + "/send"
	case RoomRead:
		return appRoom + room + "/read"
	case RoomTyping:
		return appRoom + room + "/typing"
	case RoomEdit:
		return appRoom + room + "/edit"
	case RoomRecall:
		return appRoom + room + "/recall"
	case UserStatus:
		return "/app/user/status"
	case UserToken:
		return "/app/user/token"
	case RoomTopic:
		return topic + room
	case Inbox:
		return "/user/queue/messages"
	case Errors:
		return "/user/queue/errors"
	}
	return ""
}
