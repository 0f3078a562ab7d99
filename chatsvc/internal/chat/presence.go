package chat

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Limits of what is told about who is online.
const (
	MaxReports  = 1_000 // statuses in one report
	MaxTold     = 256   // rooms of a user in which a change of her status is told, the newest first
	MaxPresent  = 64    // members of a room up to which a list of rooms tells who of them is online
	MaxAsked    = 100   // users asked about in one call
	MaxOnline   = 1_000 // users who are named as online in a room
	MaxCounted  = 1_000 // rooms counted in one call
	offerAtOnce = 1_024 // status events published in one go
)

// StatusUnknown is the status of a user while nobody can tell it.
const (
	StatusOffline = "offline"
	StatusUnknown = "unknown"
)

var reported = []string{"online", "away", "busy", StatusOffline}

// Presence is a user's online state over all devices.
type Presence struct {
	UserID   string
	Status   string    // online, away, busy, offline or unknown
	LastSeen time.Time // when she was last known to be online; zero where nothing is known
}

// StatusReport is a user's new status, as a gateway tells it.
type StatusReport struct {
	UserID string
	Status string // online, away, busy or offline
	At     time.Time
}

// Validate checks what a gateway wrote.
func (r StatusReport) Validate() error {
	if err := ValidUserID(r.UserID); err != nil {
		return err
	}
	if !slices.Contains(reported, r.Status) {
		return refuse(Invalid, "the status has to be online, away, busy or offline")
	}
	return nil
}

// Statuses is the use cases around who is online: telling rooms, and answering who asks. Safe for concurrent use.
type Statuses struct {
	store    CircleStore
	pub      StatePublisher
	observer Observer // nil: nobody can tell
}

// NewStatuses returns the use cases over a store; USER_STATUS goes to pub. observer may be nil.
func NewStatuses(store CircleStore, pub StatePublisher, observer Observer) *Statuses {
	return &Statuses{store: store, pub: pub, observer: observer}
}

// Report tells the rooms of users that their status has changed: the MaxTold newest of those with at most MaxLive
// members. UNAVAILABLE says that some of it may not have been told, as there is much else to tell: report it again.
func (s *Statuses) Report(ctx context.Context, reports []StatusReport) error {
	if len(reports) > MaxReports {
		return refuse(TooLarge, "%d statuses are reported, at most %d are allowed in one call", len(reports), MaxReports)
	}
	users := make([]string, len(reports))
	for i, report := range reports {
		if err := report.Validate(); err != nil {
			return err
		}
		users[i] = report.UserID
	}
	if len(users) == 0 {
		return nil
	}
	rooms, err := s.store.LiveRooms(ctx, distinct(users), MaxTold)
	if err != nil {
		return fmt.Errorf("look up rooms: %w", err)
	}
	var events []Event
	for _, report := range reports {
		for _, room := range rooms[report.UserID] {
			e := stateEvent(KindUserStatus, room, report.UserID, report.At)
			e.Type = report.Status
			events = append(events, e)
		}
	}
	for part := range slices.Chunk(events, offerAtOnce) {
		if !s.pub.Offer(part) {
			return &Error{Code: Unavailable, Message: "there is much to publish: report it again", RetryAfter: time.Second}
		}
	}
	return nil
}

// Of returns the presence of users, in the order asked, each once: to a user, of those with whom she shares a room; to
// a service (by empty), of all.
func (s *Statuses) Of(ctx context.Context, by string, users []string) ([]Presence, error) {
	if len(users) == 0 || len(users) > MaxAsked {
		return nil, refuse(Invalid, "%d users are named: ask about 1 to %d", len(users), MaxAsked)
	}
	for _, user := range users {
		if err := ValidUserID(user); err != nil {
			return nil, err
		}
	}
	users = distinct(slices.Clone(users))
	if by != "" {
		known, err := s.store.Acquainted(ctx, by, users)
		if err != nil {
			return nil, fmt.Errorf("look up common rooms: %w", err)
		}
		users = slices.DeleteFunc(users, func(user string) bool { return user != by && !slices.Contains(known, user) })
	}
	return observe(ctx, s.observer, users), nil
}

// Online is who is online in a room.
type Online struct {
	Users     []Presence // in the order in which they joined, at most MaxOnline
	Truncated bool       // there are more
	Known     bool       // false: nobody can tell
}

// Online returns the members of a room who are online: to one of them, or to a service (by empty).
func (s *Statuses) Online(ctx context.Context, by string, room int64) (Online, error) {
	if by != "" {
		if err := allow(ctx, s.store, by, room, actRead); err != nil {
			return Online{}, err
		}
	}
	members, err := s.store.Members(ctx, room)
	if err != nil {
		return Online{}, fmt.Errorf("list members: %w", err)
	}
	users := make([]string, len(members))
	for i := range members {
		users[i] = members[i].UserID
	}
	online := Online{Known: true}
	for _, p := range observe(ctx, s.observer, users) {
		switch {
		case p.Status == StatusUnknown:
			return Online{}, nil
		case p.Status == StatusOffline:
		case len(online.Users) == MaxOnline:
			online.Truncated = true
			return online, nil
		default:
			online.Users = append(online.Users, p)
		}
	}
	return online, nil
}

// Count returns how many users are online, and how many have each of the rooms open; false while nobody can tell.
func (s *Statuses) Count(ctx context.Context, rooms []int64) (online int64, open []int64, known bool, err error) {
	if len(rooms) > MaxCounted {
		return 0, nil, false, refuse(TooLarge, "%d rooms are named, at most %d are allowed in one call",
			len(rooms), MaxCounted)
	}
	if s.observer != nil {
		online, open, known = s.observer.Count(ctx, rooms)
	}
	if !known {
		return 0, make([]int64, len(rooms)), false, nil
	}
	return online, open, true, nil
}

// observe asks the observer, if there is one.
func observe(ctx context.Context, observer Observer, users []string) []Presence {
	if observer != nil && len(users) > 0 {
		return observer.Observe(ctx, users)
	}
	unknown := make([]Presence, len(users))
	for i, user := range users {
		unknown[i] = Presence{UserID: user, Status: StatusUnknown}
	}
	return unknown
}

// observeRooms fills in who is online in small rooms, in one question for all.
func observeRooms(ctx context.Context, observer Observer, rooms []RoomSummary) {
	var users []string
	for i := range rooms {
		if len(rooms[i].Room.MemberIDs) <= MaxPresent {
			users = append(users, rooms[i].Room.MemberIDs...)
		}
	}
	seen := make(map[string]Presence, len(users))
	for _, p := range observe(ctx, observer, distinct(users)) {
		seen[p.UserID] = p
	}
	for i := range rooms {
		if ids := rooms[i].Room.MemberIDs; len(ids) <= MaxPresent {
			for _, id := range ids {
				rooms[i].Presence = append(rooms[i].Presence, seen[id])
			}
		}
	}
}
