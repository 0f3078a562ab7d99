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

// Forever is the end of what has none. Stores write it down: it never changes.
var Forever = time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)

// Member is a user in a room. The zero value is nobody.
type Member struct {
	UserID   string
	Role     Role
	JoinedAt time.Time
	LastRead int64 // read mark: the newest seq the member has read
	// Delivered mark: the newest seq that the member's devices have acknowledged, or that the member has read.
	LastDelivered int64
	MutedUntil    time.Time // zero or past: not muted
	// Hidden is what was written while she was out, between two memberships: not for her.
	Hidden Spans
}

// Muted says whether the member may not write at a moment.
func (m Member) Muted(at time.Time) bool { return m.MutedUntil.After(at) }

// Former is what is kept of a user who is not in a room, for the case that she comes back. The zero value is a user of
// whom nothing is known.
type Former struct {
	LeftAt      int64     // seq of the event that ended her membership; 0: she never was a member
	Hidden      Spans     // of her memberships until then
	BannedUntil time.Time // zero or past: not banned
}

// Banned says whether the user may not become a member at a moment.
func (f Former) Banned(at time.Time) bool { return f.BannedUntil.After(at) }

// Rejoin returns what is hidden from her when she becomes a member by the event with the seq.
func (f Former) Rejoin(seq int64) Spans {
	if f.LeftAt == 0 {
		return f.Hidden
	}
	return f.Hidden.with(Span{First: f.LeftAt + 1, Last: seq - 1})
}

// Leave returns what is kept of a member whose membership ends by the event with the seq.
func (m Member) Leave(seq int64) Former { return Former{LeftAt: seq, Hidden: m.Hidden} }
