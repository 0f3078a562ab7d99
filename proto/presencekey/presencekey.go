// Package presencekey names the keys in Redis that gateways write about who is online and that others may read: chatsvc
// for look-ups, operators by hand. It imports nothing of ours and knows no Redis. The names are a contract (README).
// Only gateways write them; how is package presence of the gateway.
package presencekey

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// The names, to be completed by an id where they end in a colon. A variable part always stands last and is taken as it
// is: whatever bytes a user id has, two ids never share a key, and no prefix is the start of another.
const (
	OnlineUsers     = "websocket:online_users"    // set of the ids of users who are online
	StatusPrefix    = "websocket:user:status:"    // + user id: online, away or busy; absent when offline
	RoomUsersPrefix = "websocket:chatroom:users:" // + room id: set of the ids of users who have the room open
	UserRoomsPrefix = "websocket:user:chatrooms:" // + user id: set of the ids of rooms she has open
	SeenPrefix      = "fliliy:presence:seen:"     // + user id: "last-seen status told-at", times in ms since 1970
)

// Status is the key of a user's status.
func Status(user string) string { return StatusPrefix + user }

// RoomUsers is the key of the users who have a room open.
func RoomUsers(room int64) string { return RoomUsersPrefix + strconv.FormatInt(room, 10) }

// UserRooms is the key of the rooms that a user has open.
func UserRooms(user string) string { return UserRoomsPrefix + user }

// Seen is the key of when a user was last seen.
func Seen(user string) string { return SeenPrefix + user }

// LastSeen reads when the user was last seen from the value of her key Seen.
func LastSeen(value string) (time.Time, error) {
	text, _, _ := strings.Cut(value, " ")
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, errors.New("the value does not begin with a time in ms")
	}
	return time.UnixMilli(ms).UTC(), nil
}
