package chat

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxUserID is the largest length of a user id, in bytes.
const MaxUserID = 128

// ValidUserID says whether a string may be a user id: 1 to MaxUserID bytes of UTF-8 without control characters.
// It is the rule of proto/identity in the words of an *Error; a test holds the two together.
func ValidUserID(id string) error {
	switch {
	case id == "":
		return refuse(Invalid, "user id is empty")
	case len(id) > MaxUserID:
		return refuse(Invalid, "user id has %d bytes, at most %d are allowed", len(id), MaxUserID)
	case !utf8.ValidString(id):
		return refuse(Invalid, "user id is not valid UTF-8")
	case strings.ContainsFunc(id, unicode.IsControl):
		return refuse(Invalid, "user id has a control character")
	}
	return nil
}

// Role is what a member may do in a room; the zero value is that of somebody who is no member.
type Role uint8

// The roles. Stores write these numbers down: they never change.
const (
	RoleMember Role = 1
	RoleOwner  Role = 2
)

// Member is a user in a room. The zero value is nobody.
type Member struct {
	UserID   string
	Role     Role
	JoinedAt time.Time
	LastRead int64 // read mark: the newest seq the member has read
	// Delivered mark: the newest seq that the member's devices have acknowledged, or that the member has read.
	LastDelivered int64
}
