package chat

import "time"

// MemberAsk is whom a change of membership is about.
type MemberAsk struct {
	Room  int64
	By    string   // who asks for it
	Users []string // whose membership is to change, each once
}

// Membership is what a store has read, under the lock of the room's head, for a decision about members.
type Membership struct {
	At        time.Time         // now, by the database's clock
	Room      Room              // zero when there is none; without MemberIDs
	By        Member            // nobody when the one who asks is no member
	Users     map[string]Member // of those asked about, the members
	Former    map[string]Former // of those asked about, those who were members, or are banned
	Successor string            // of the members except the first one asked about, the one longest in the room
}

// MemberDecision says what changes; an error refuses.
type MemberDecision func(Membership) ([]MemberChange, error)

// MemberChange is one change of one user's membership; it becomes an event of the room's log.
type MemberChange struct {
	UserID   string
	Change   Change
	NewOwner string // becomes owner with this change; empty: nobody does
	// Until is the end of Muted and Banned; Forever: there is none.
	Until time.Time
}

// Ends says whether the change ends a membership of somebody who has one.
func (c Change) Ends() bool { return c == Left || c == Removed || c == Banned }

// MemberOutcome is what a change of membership came to.
type MemberOutcome struct {
	Events   []Event
	Audience map[int64][]string // as in Appended: the members after the change
	Members  []Member           // of the users asked about, the members after the change, in the order asked
}

// Event makes the event that a change becomes at its place in the room's log.
func (c *MemberChange) Event(room, seq int64, at time.Time) Event {
	e := Event{
		Log: LogRef{Room: room}, LogID: room, Seq: seq, Kind: KindMember, MessageID: MessageID(room, seq),
		UserID: c.UserID, Change: c.Change, At: at,
	}
	if !c.Until.IsZero() && c.Until.Before(Forever) {
		e.Content = c.Until.UTC().Format(timeLayout)
	}
	return e
}
