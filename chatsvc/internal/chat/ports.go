package chat

import "context"

// RoomStore keeps rooms and who is in them. Errors are *Error where the rules refused, else faults.
type RoomStore interface {
	// CreateRoom stores a room whose first member is its owner, or finds the direct room of the same two and listing
	// that exists (false), also when both ask at once.
	CreateRoom(ctx context.Context, room NewRoom) (Room, bool, error)
	// RoomsOf returns a user's rooms in order of RoomPosition, from after a position on, or from the first.
	RoomsOf(ctx context.Context, user string, limit int, after *RoomPosition) ([]RoomSummary, error)
	// Member returns a user's membership, or nobody's.
	Member(ctx context.Context, room int64, user string) (Member, error)
	// Members returns a room's members in the order in which they joined.
	Members(ctx context.Context, room int64) ([]Member, error)
	// ChangeMembers locks the room's head, asks decide, and stores what it says with the events that tell of it, in
	// one transaction. An error of decide stores nothing and is returned.
	ChangeMembers(ctx context.Context, ask MemberAsk, decide MemberDecision) (MemberOutcome, error)
}

// LogStore reads logs.
type LogStore interface {
	Member(ctx context.Context, room int64, user string) (Member, error)
	// Entrance returns a user's membership, or nobody's; and to a member, in a room of at most MaxLive, who its members
	// are, in the order in which they joined.
	Entrance(ctx context.Context, room int64, user string) (Member, []string, error)
	// Heads returns the newest seq of each log, in the order asked.
	Heads(ctx context.Context, logs []LogRef) ([]Head, error)
	// Events returns events of a log in order of seq.
	Events(ctx context.Context, log LogRef, stretch Stretch) ([]Event, error)
}

// MarkStore keeps read and delivered marks.
type MarkStore interface {
	Member(ctx context.Context, room int64, user string) (Member, error)
	// MarkRead moves a member's read mark forward to seq (0, or a seq beyond it: the head), never back. A user who is
	// no member has no mark: Mark.Member is false.
	MarkRead(ctx context.Context, room int64, user string, seq int64) (Mark, error)
	// MarkDelivered moves a member's delivered mark forward to seq (beyond the head: the head), never back. What is
	// read is delivered: a seq up to the read mark moves nothing.
	MarkDelivered(ctx context.Context, room int64, user string, seq int64) (Mark, error)
}

// RevocationStore keeps which tokens are refused before their time.
type RevocationStore interface {
	// Revoke stores a revocation, under a number greater than any before, and returns it; when one of the same user
	// stands that reaches as far, it changes nothing and returns that one. Nobody sees a number before all lower ones.
	Revoke(ctx context.Context, ask RevocationAsk) (Revocation, error)
	// Revocations returns those after a number, in their order, without those that are of no use any more; and the
	// greatest number that is kept, 0 for none.
	Revocations(ctx context.Context, after int64, limit int) ([]Revocation, int64, error)
}

// CircleStore knows who has to do with whom.
type CircleStore interface {
	Member(ctx context.Context, room int64, user string) (Member, error)
	// Members returns a room's members in the order in which they joined.
	Members(ctx context.Context, room int64) ([]Member, error)
	// LiveRooms returns, for each of the users, the rooms of at most MaxLive members that she is in, the one with the
	// newest event first, at most limit of them.
	LiveRooms(ctx context.Context, users []string, limit int) (map[string][]int64, error)
	// Acquainted returns those of the users who share a room with the user, herself included where she is in one.
	Acquainted(ctx context.Context, user string, users []string) ([]string, error)
}

// Store is all that the use cases together ask of a store.
type Store interface {
	RoomStore
	LogStore
	MarkStore
	RevocationStore
	CircleStore
}

// Observer sees who is online, in the soft state that gateways keep. It never takes longer than a moment and never
// fails: what it cannot see now is unknown.
type Observer interface {
	// Observe returns the presence of users, in the order asked.
	Observe(ctx context.Context, users []string) []Presence
	// Count returns how many users are online, and how many have each of the rooms open; false where it cannot see.
	Count(ctx context.Context, rooms []int64) (online int64, open []int64, known bool)
}

// StatePublisher is Publisher for state that yields to everything else.
type StatePublisher interface {
	// Offer passes events on, all or none, unless there is much to publish already: then it says false.
	Offer(events []Event) bool
}

// Appender stores drafts; the scribe.
type Appender interface {
	// Submit takes a unit of valid drafts, all to be stored or none, and owns it from then on. Units are stored in
	// the order of the calls. It blocks only while the appender's bounded queue is full. done is called exactly
	// once, after the commit, from any goroutine, also before Submit returns: with one Stored per draft, or with an
	// error, *Error where clients may see it. It must not block.
	Submit(unit []Draft, done func([]Stored, error))
}

// Herald tells gateways, as a hint, that there is a new revocation. It never blocks for long and never fails.
type Herald interface {
	Revoked(number int64)
}

// Publisher tells gateways of events that are stored, or of state. It never blocks for long and never fails: what it
// says is a hint, the store is the truth.
type Publisher interface {
	// Publish passes on events, those of one log in order of seq. audience has the members of the rooms of at most
	// MaxLive members, by room id, for the copies on user subjects; it is nil for state events.
	Publish(events []Event, audience map[int64][]string)
}
