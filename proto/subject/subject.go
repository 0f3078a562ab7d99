// Package subject names the NATS subjects of the chat: what chatsvc publishes on and gateways take an interest in.
//
// It is the only place that builds a subject. Room ids are numbers and user ids are base64url, so that nothing a
// client types can become a token, a wildcard or a second line of the NATS protocol.
package subject

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// Heads is the subject of the digest of recently changed log heads (chatv1.Heads).
const Heads = "chat.v1.heads"

// Control is the subject of what all gateways are told at once (chatv1.Control).
const Control = "chat.v1.control"

const (
	roomPrefix = "chat.v1.room." // + room id in decimal
	userPrefix = "chat.v1.user." // + user id in unpadded base64url
)

// Room is the subject of a room's events (chatv1.Envelope). The id is a positive room id.
func Room(id int64) string {
	return roomPrefix + strconv.FormatInt(id, 10)
}

// User is the subject of a user's inbox and of live copies for that user (chatv1.Envelope). Any string is safe here;
// that it is a valid user id is for identity.ValidUserID to say.
func User(id string) string {
	return userPrefix + base64.RawURLEncoding.EncodeToString([]byte(id))
}

// Parse is the inverse of Room and User: exactly one of room and user is set. Any other subject is an error.
func Parse(subject string) (room int64, user string, err error) {
	if digits, ok := strings.CutPrefix(subject, roomPrefix); ok {
		id, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || id <= 0 || Room(id) != subject {
			return 0, "", fmt.Errorf("subject %q: room id is not a positive decimal number", subject)
		}
		return id, "", nil
	}
	if encoded, ok := strings.CutPrefix(subject, userPrefix); ok {
		id, err := base64.RawURLEncoding.DecodeString(encoded)
		if err != nil || len(id) == 0 || User(string(id)) != subject {
			return 0, "", fmt.Errorf("subject %q: user id is not base64url", subject)
		}
		return 0, string(id), nil
	}
	return 0, "", fmt.Errorf("subject %q: neither a room's nor a user's", subject)
}
