package destination

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

const (
	// maxLength is the longest text that is looked at.
	maxLength = 255
	// maxQuoted is how much of a refused text an error repeats.
	maxQuoted = 64

	offeredSend = "/app/chat/{chatRoomId}/send, /app/chat/{chatRoomId}/read, /app/chat/{chatRoomId}/typing, " +
		"/app/chat/{chatRoomId}/edit, /app/chat/{chatRoomId}/recall, /app/user/status, /app/user/token"
	offeredSubscribe = "/topic/chat/{chatRoomId}, /user/queue/messages, /user/queue/errors"
)

// ParseSend reads the destination of a SEND. Only the exact destinations of the contract are understood: no patterns,
// no escapes, no other spelling. Errors are for the client: they say what is wrong and what is offered. It does not
// allocate when it succeeds.
func ParseSend(s string) (Destination, error) {
	if err := check(s, offeredSend); err != nil {
		return Destination{}, err
	}
	if kind, room := matchSend(s); kind != 0 {
		return withRoom(kind, room)
	}
	if kind, _ := matchSubscribe(s); kind != 0 {
		return Destination{}, fmt.Errorf("clients subscribe to %s and do not send to it; SEND is offered to: %s",
			quote(s), offeredSend)
	}
	return Destination{}, fmt.Errorf("there is no destination %s to send to; offered: %s", quote(s), offeredSend)
}

// ParseSubscribe is ParseSend for SUBSCRIBE.
func ParseSubscribe(s string) (Destination, error) {
	if err := check(s, offeredSubscribe); err != nil {
		return Destination{}, err
	}
	if kind, room := matchSubscribe(s); kind != 0 {
		return withRoom(kind, room)
	}
	if kind, _ := matchSend(s); kind != 0 {
		return Destination{}, fmt.Errorf("clients send to %s and do not subscribe to it; SUBSCRIBE is offered to: %s",
			quote(s), offeredSubscribe)
	}
	return Destination{}, fmt.Errorf("there is no destination %s to subscribe to; offered: %s",
		quote(s), offeredSubscribe)
}

// matchSend returns the kind, 0 for none, and what stands where the room id should.
func matchSend(s string) (kind Kind, room string) {
	switch s {
	case "/app/user/status":
		return UserStatus, ""
	case "/app/user/token":
		return UserToken, ""
	}
	rest, ok := strings.CutPrefix(s, appRoom)
	if !ok {
		return 0, ""
	}
	room, verb, _ := strings.Cut(rest, "/")
	return kindOf(verb), room
}

// matchSubscribe is matchSend for SUBSCRIBE.
func matchSubscribe(s string) (kind Kind, room string) {
	switch s {
	case "/user/queue/messages":
		return Inbox, ""
	case "/user/queue/errors":
		return Errors, ""
	}
	room, ok := strings.CutPrefix(s, topic)
	if !ok || strings.Contains(room, "/") {
		return 0, ""
	}
	return RoomTopic, room
}

func kindOf(verb string) Kind {
	switch verb {
	case "send":
		return RoomSend
	case "read":
		return RoomRead
	case "typing":
		return RoomTyping
	case "edit":
		return RoomEdit
	case "recall":
		return RoomRecall
	}
	return 0
}

// withRoom completes a destination with its room, if its kind has one.
func withRoom(kind Kind, text string) (Destination, error) {
	switch kind {
	case RoomSend, RoomRead, RoomTyping, RoomEdit, RoomRecall, RoomTopic:
		room, err := parseRoom(text)
		if err != nil {
			return Destination{}, err
		}
		return Destination{Kind: kind, Room: room}, nil
	}
	return Destination{Kind: kind}, nil
}

// parseRoom reads a room id in its one spelling, so that no two texts name one room.
func parseRoom(id string) (int64, error) {
	if id == "" {
		return 0, errors.New("the destination names no chat room: put the room's id, a positive decimal number, in its place")
	}
	var room int64
	for i := 0; i < len(id); i++ {
		digit := int64(id[i]) - '0'
		if digit < 0 || digit > 9 || id[0] == '0' || room > (math.MaxInt64-digit)/10 {
			return 0, fmt.Errorf("chat room id %s is not valid: it must be a decimal number from 1 to %d, "+
				"without sign or leading zeros", quote(id), int64(math.MaxInt64))
		}
		room = room*10 + digit
	}
	return room, nil
}

func check(s, offered string) error {
	switch {
	case s == "":
		return fmt.Errorf("the destination is missing or empty; offered: %s", offered)
	case len(s) > maxLength:
		return fmt.Errorf("the destination is %d bytes long, more than %d; offered: %s", len(s), maxLength, offered)
	}
	return nil
}

// quote makes text of a client harmless and short.
func quote(s string) string {
	if len(s) > maxQuoted {
		return fmt.Sprintf("%q...", s[:maxQuoted])
	}
	return fmt.Sprintf("%q", s)
}
