package chat

import (
	"context"
	"time"
)

// State is what moderation has done about a user in a room.
type State uint8

// The states.
const (
	StateMember State = iota + 1 // nothing
	StateMuted                   // reads, and does not write
	StateBanned                  // is no member, and cannot become one
)

// Moderate brings a user of a room into a state, and says whether that changed anything: a service decides so, whoever is
// in the room. until is when it ends by itself, by the database's clock; zero is never.
func (r *Rooms) Moderate(ctx context.Context, room int64, user string, state State, until time.Time) (bool, error) {
	if err := ValidUserID(user); err != nil {
		return false, err
	}
	if state < StateMember || state > StateBanned {
		return false, refuse(Invalid, "state is missing: set MEMBER, MUTED or BANNED")
	}
	switch {
	case room <= 0:
		return false, refuse(Invalid, "room %d does not exist", room)
	case state == StateMember && !until.IsZero():
		return false, refuse(Invalid, "until belongs to MUTED and BANNED: leave it out")
	case until.IsZero(), until.After(Forever):
		until = Forever
	}
	until = until.UTC().Truncate(time.Millisecond) // as members see it
	outcome, err := r.change(ctx, MemberAsk{Room: room, Users: []string{user}}, func(m Membership) ([]MemberChange, error) {
		return decideState(room, user, state, until, m)
	})
	return len(outcome.Events) > 0, err
}

func decideState(room int64, user string, state State, until time.Time, m Membership) ([]MemberChange, error) {
	if m.Room.ID == 0 {
		return nil, refuse(Invalid, "room %d does not exist", room)
	}
	if state != StateMember && !until.After(m.At) {
		return nil, refuse(Invalid, "until is %s, which is over: leave it out for no end", until.Format(time.RFC3339))
	}
	member, former := m.Users[user], m.Former[user]
	switch state {
	case StateMuted:
		return decideMute(room, member, MemberChange{UserID: user, Change: Muted, Until: until})
	case StateBanned:
		if former.Banned(m.At) && former.BannedUntil.Equal(until) {
			return nil, nil
		}
		change := MemberChange{UserID: user, Change: Banned, Until: until}
		if member.Role == RoleOwner {
			change.NewOwner = m.Successor
		}
		return []MemberChange{change}, nil
	}
	return decideFree(user, m), nil
}

func decideMute(room int64, member Member, change MemberChange) ([]MemberChange, error) {
	switch {
	case member.Role == 0:
		return nil, refuse(Invalid, "user %s is not a member of room %d, and cannot be muted there",
			shortened(change.UserID), room)
	case member.MutedUntil.Equal(change.Until):
		return nil, nil
	}
	return []MemberChange{change}, nil
}

// decideFree takes back what was done about a user. Nobody could add her to a direct room again: she is back at once.
func decideFree(user string, m Membership) []MemberChange {
	switch {
	case m.Users[user].Muted(m.At):
		return []MemberChange{{UserID: user, Change: Unmuted}}
	case m.Users[user].Role > 0 || !m.Former[user].Banned(m.At):
		return nil
	case m.Room.Direct:
		return []MemberChange{{UserID: user, Change: Unbanned}, {UserID: user, Change: Joined}}
	}
	return []MemberChange{{UserID: user, Change: Unbanned}}
}
