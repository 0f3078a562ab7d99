package chat

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of pages.
const (
	DefaultRooms = 50
	MaxRooms     = 100
)

// Rooms is the use cases around rooms and their members. Safe for concurrent use.
type Rooms struct {
	store    RoomStore
	pub      Publisher
	observer Observer // nil: nobody can tell who is online
}

// NewRooms returns the use cases over a store; membership events go to pub once they are stored.
func NewRooms(store RoomStore, pub Publisher) *Rooms {
	return &Rooms{store: store, pub: pub}
}

// WithObserver lets lists of rooms tell who of the members is online.
func (r *Rooms) WithObserver(observer Observer) *Rooms {
	r.observer = observer
	return r
}

// Create makes a room of its creator, who owns it, and the members named. A direct room that exists for the same two
// and listing is returned instead, with false. Creation itself is no event of the log: a new log is empty.
func (r *Rooms) Create(ctx context.Context, by string, room NewRoom) (Room, bool, error) {
	if err := ValidUserID(by); err != nil {
		return Room{}, false, err
	}
	if err := room.Validate(); err != nil {
		return Room{}, false, err
	}
	room = room.with(by)
	if len(room.MemberIDs) == 1 && room.Name == "" {
		return Room{}, false, refuse(Invalid, "a room needs another member or a name: set memberIds or name")
	}
	made, created, err := r.store.CreateRoom(ctx, room)
	if err == nil && !created && len(made.MemberIDs) < len(room.MemberIDs) {
		return r.reunite(ctx, by, made, room.MemberIDs)
	}
	return made, created, err
}

// reunite brings those of the two back into their direct room who were banned from it and are not any more. Nobody else
// could, as nobody is added to a direct room.
func (r *Rooms) reunite(ctx context.Context, by string, room Room, pair []string) (Room, bool, error) {
	back := make(map[string]bool, len(pair))
	_, err := r.change(ctx, MemberAsk{Room: room.ID, By: by, Users: pair}, func(m Membership) ([]MemberChange, error) {
		var changes []MemberChange
		for _, user := range pair {
			switch {
			case m.Users[user].Role > 0:
				back[user] = true
			case !m.Former[user].Banned(m.At):
				back[user] = true
				changes = append(changes, MemberChange{UserID: user, Change: Joined})
			case user == by:
				return nil, refuse(Forbidden, "you are banned from the room of these two%s", ending(m.Former[user].BannedUntil))
			}
		}
		return changes, nil
	})
	if err != nil {
		return Room{}, false, err
	}
	room.MemberIDs = slices.DeleteFunc(slices.Clone(pair), func(user string) bool { return !back[user] })
	room.MemberCount = len(room.MemberIDs)
	return room, false, nil
}

// List returns a page of the user's rooms, the one with the newest event first, and the token of the next page, empty
// on the last. limit 0 is DefaultRooms. A room that gets an event while a client pages moves to the front: pages that
// follow do not have it.
func (r *Rooms) List(ctx context.Context, user string, limit int, pageToken string) ([]RoomSummary, string, error) {
	limit, err := pageSize(limit, DefaultRooms, MaxRooms)
	if err != nil {
		return nil, "", err
	}
	after, err := parsePageToken(pageToken)
	if err != nil {
		return nil, "", err
	}
	rooms, err := r.store.RoomsOf(ctx, user, limit+1, after)
	if err != nil {
		return nil, "", fmt.Errorf("list rooms: %w", err)
	}
	more := len(rooms) > limit
	rooms = rooms[:min(limit, len(rooms))]
	observeRooms(ctx, r.observer, rooms)
	if !more {
		return rooms, "", nil
	}
	last := &rooms[limit-1]
	return rooms, RoomPosition{last.ChangedAt, last.Room.ID}.token(), nil
}

// Members returns a room's members, in the order in which they joined, to one of them.
func (r *Rooms) Members(ctx context.Context, by string, room int64) ([]Member, error) {
	if err := allow(ctx, r.store, by, room, actRead); err != nil {
		return nil, err
	}
	members, err := r.store.Members(ctx, room)
	if err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	return members, nil
}

// AddMembers brings users into a room; members already there stay as they are. It returns the users named, as
// members. What they have not seen counts as read when they join.
func (r *Rooms) AddMembers(ctx context.Context, by string, room int64, users []string) ([]Member, error) {
	if err := validUsers(users); err != nil {
		return nil, err
	}
	if len(users) == 0 {
		return nil, refuse(Invalid, "no members are named: set memberIds")
	}
	ask := MemberAsk{Room: room, By: by, Users: distinct(append([]string(nil), users...))}
	outcome, err := r.change(ctx, ask, func(m Membership) ([]MemberChange, error) {
		return decideAdd(ask, m)
	})
	return outcome.Members, err
}

func decideAdd(ask MemberAsk, m Membership) ([]MemberChange, error) {
	if refusal := may(m.By, actAdd, ask.Room, m.At); refusal != nil {
		return nil, refusal
	}
	if m.Room.Direct {
		return nil, refuse(Invalid, "room %d is direct and stays between two: create a new room instead", ask.Room)
	}
	var changes []MemberChange
	for _, user := range ask.Users {
		if m.Former[user].Banned(m.At) {
			return nil, refuse(Forbidden, "user %s is banned from room %d%s, and cannot be added", shortened(user), ask.Room,
				ending(m.Former[user].BannedUntil))
		}
		if m.Users[user].Role == 0 {
			changes = append(changes, MemberChange{UserID: user, Change: Joined})
		}
	}
	if m.Room.MemberCount+len(changes) > MaxMembers {
		return nil, refuse(TooLarge, "room %d would have more than %d members", ask.Room, MaxMembers)
	}
	return changes, nil
}

// RemoveMember removes another member, which only the owner may, or the acting user, who then has left. When the
// owner leaves, the one longest in the room becomes owner. A user who is not in the room is no error.
func (r *Rooms) RemoveMember(ctx context.Context, by string, room int64, user string) error {
	if err := ValidUserID(user); err != nil {
		return err
	}
	ask := MemberAsk{Room: room, By: by, Users: []string{user}}
	_, err := r.change(ctx, ask, func(m Membership) ([]MemberChange, error) {
		return decideRemove(ask, m)
	})
	return err
}

func decideRemove(ask MemberAsk, m Membership) ([]MemberChange, error) {
	user := ask.Users[0]
	change, do := MemberChange{UserID: user, Change: Removed}, actRemove
	if user == ask.By {
		change.Change, do = Left, actLeave
	}
	if refusal := may(m.By, do, ask.Room, m.At); refusal != nil {
		return nil, refusal
	}
	if m.Room.Direct {
		return nil, refuse(Invalid, "room %d is direct: its two members cannot leave it", ask.Room)
	}
	if m.Users[user].Role == 0 {
		return nil, nil
	}
	if do == actLeave && m.By.Role == RoleOwner {
		change.NewOwner = m.Successor
	}
	return []MemberChange{change}, nil
}

func (r *Rooms) change(ctx context.Context, ask MemberAsk, decide MemberDecision) (MemberOutcome, error) {
	if ask.Room <= 0 {
		return MemberOutcome{}, noSuchRoom(ask.Room)
	}
	outcome, err := r.store.ChangeMembers(ctx, ask, decide)
	if err != nil {
		return MemberOutcome{}, fmt.Errorf("change members: %w", err)
	}
	if len(outcome.Events) > 0 {
		r.pub.Publish(outcome.Events, outcome.Audience)
	}
	return outcome, nil
}

// Allowed says whether the user is in the room.
func (r *Rooms) Allowed(ctx context.Context, user string, room int64) (bool, error) {
	err := allow(ctx, r.store, user, room, actRead)
	if CodeOf(err) == Forbidden {
		return false, nil
	}
	return err == nil, err
}

// memberFinder is what all stores can tell.
type memberFinder interface {
	Member(ctx context.Context, room int64, user string) (Member, error)
}

// allow looks the user up and says whether she may do it: nil, a refusal, or a fault.
func allow(ctx context.Context, store memberFinder, user string, room int64, do action) error {
	_, err := allowed(ctx, store, user, room, do)
	return err
}

// allowed is allow, and tells about the member.
func allowed(ctx context.Context, store memberFinder, user string, room int64, do action) (Member, error) {
	if room <= 0 {
		return Member{}, noSuchRoom(room)
	}
	member, err := store.Member(ctx, room, user)
	if err != nil {
		return Member{}, fmt.Errorf("look up member: %w", err)
	}
	if refusal := may(member, do, room, time.Now()); refusal != nil {
		return Member{}, refusal
	}
	return member, nil
}

// pageSize returns how many a client wants: 0 is the default.
func pageSize(limit, standard, most int) (int, error) {
	switch {
	case limit == 0:
		return standard, nil
	case limit < 0 || limit > most:
		return 0, refuse(Invalid, "limit is %d, allowed are 1 to %d", limit, most)
	}
	return limit, nil
}

// token writes the position so that clients can carry it in a URL.
func (p RoomPosition) token() string {
	text := strconv.FormatInt(p.ChangedAt.UnixMicro(), 10) + "." + strconv.FormatInt(p.ID, 10)
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

func parsePageToken(token string) (*RoomPosition, error) {
	if token == "" {
		return nil, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	micros, id, ok := strings.Cut(string(text), ".")
	at, err1 := strconv.ParseInt(micros, 10, 64)
	room, err2 := strconv.ParseInt(id, 10, 64)
	if err != nil || !ok || err1 != nil || err2 != nil {
		return nil, refuse(Invalid, "page token %q is not one of ours: start from the first page", shortened(token))
	}
	return &RoomPosition{ChangedAt: time.UnixMicro(at), ID: room}, nil
}
