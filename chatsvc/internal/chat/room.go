package chat

import (
	"slices"
	"time"
	"unicode/utf8"
)

// Limits of rooms.
const (
	MaxName        = 128    // characters of a room's name and of its listing id
	MaxMembersCall = 1_000  // users named in one call
	MaxMembers     = 10_000 // members of one room
	MaxLive        = 256    // members up to which a room's messages are also copied to its members' user subjects
	MaxUnread      = 10_000 // counting of unread messages stops here
)

// Room is a room as its members see it.
type Room struct {
	ID          int64 // also the id of its log
	Name        string
	ListingID   string // the listing the room is about, or empty
	Direct      bool   // a room of exactly two that will never have a third
	CreatedBy   string
	CreatedAt   time.Time
	MemberCount int
	MemberIDs   []string // in the order in which they joined; nil in rooms of more than MaxLive
}

// NewRoom is what a user asks for: a room of hers and the others named.
type NewRoom struct {
	MemberIDs []string
	Name      string
	ListingID string
}

// Direct says whether a room of these members is direct: two, and no name.
func (n NewRoom) Direct() bool { return len(n.MemberIDs) == 2 && n.Name == "" }

// Validate checks what a client wrote. Errors are *Error INVALID or TOO_LARGE.
func (n NewRoom) Validate() error {
	if err := validUsers(n.MemberIDs); err != nil {
		return err
	}
	if err := validName("name", n.Name); err != nil {
		return err
	}
	return validName("listingId", n.ListingID)
}

// with returns the room with its creator as first member, each member once.
func (n NewRoom) with(creator string) NewRoom {
	n.MemberIDs = distinct(append([]string{creator}, n.MemberIDs...))
	return n
}

// RoomSummary is a line in a user's list of rooms.
type RoomSummary struct {
	Room      Room
	Last      *Event // the newest event of the room's log; nil while it has none
	Head      int64
	LastRead  int64      // the user's read mark
	Unread    int64      // messages of others after the read mark, counted up to MaxUnread
	ChangedAt time.Time  // of the newest event, or of the room while it has none
	Presence  []Presence // of the members, in rooms of at most MaxPresent; List fills it in
}

// RoomPosition is a place in a user's list of rooms, which is in order of ChangedAt, then ID, newest first.
type RoomPosition struct {
	ChangedAt time.Time
	ID        int64
}

func validName(field, s string) error {
	if err := validLine(field, s, MaxName*utf8.UTFMax); err != nil {
		return err
	}
	if count := utf8.RuneCountInString(s); count > MaxName {
		return refuse(Invalid, "%s has %d characters, at most %d are allowed", field, count, MaxName)
	}
	return nil
}

func validUsers(users []string) error {
	if len(users) > MaxMembersCall {
		return refuse(TooLarge, "%d members are named, at most %d are allowed in one call", len(users), MaxMembersCall)
	}
	for _, user := range users {
		if err := ValidUserID(user); err != nil {
			return err
		}
	}
	return nil
}

// distinct returns the strings in their order, each once, in place.
func distinct(users []string) []string {
	seen := make(map[string]struct{}, len(users))
	return slices.DeleteFunc(users, func(user string) bool {
		_, again := seen[user]
		seen[user] = struct{}{}
		return again
	})
}
