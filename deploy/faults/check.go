package faults

// StoredEvent is one row of a room's log, read from the store when all is quiet.
type StoredEvent struct {
	Room            int64
	Seq             int64
	Kind            string // MESSAGE, MEMBER, ...
	Sender          string // of a MEMBER event: whom it is about
	MessageID       string // "" where the store keeps none
	ClientMessageID string
	Change          string // of a MEMBER event: joined, left, removed
}
