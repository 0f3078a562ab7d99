package chat

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"
)

// Mark is a member's read mark after a move.
type Mark struct {
	Member   bool // false: there is no such member, and nothing else is set
	LastRead int64
	Moved    bool
	At       time.Time // of the move, by the database's clock
}

// Marks is the use cases around state that is no event of a log: read marks and typing. Safe for concurrent use.
type Marks struct {
	store MarkStore
	pub   Publisher
}

// NewMarks returns the use cases over a store; READ and TYPING go to pub.
func NewMarks(store MarkStore, pub Publisher) *Marks {
	return &Marks{store: store, pub: pub}
}

// Read moves the user's read mark in a room forward to seq, never back, and returns where it stands. 0 is
// everything, a seq beyond the head is the head. READ is published when it moved.
func (m *Marks) Read(ctx context.Context, user string, room, seq int64) (int64, error) {
	if room <= 0 {
		return 0, noSuchRoom(room)
	}
	if seq < 0 {
		return 0, refuse(Invalid, "seq is %d: use a positive number, or 0 for everything", seq)
	}
	mark, err := m.store.MarkRead(ctx, room, user, seq)
	if err != nil {
		return 0, fmt.Errorf("mark read: %w", err)
	}
	if !mark.Member {
		return 0, may(Member{}, actMark, room)
	}
	if mark.Moved {
		e := stateEvent(KindRead, room, user, mark.At)
		e.LastRead = mark.LastRead
		m.pub.Publish([]Event{e}, nil)
	}
	return mark.LastRead, nil
}

// Typing tells the room that a member types.
func (m *Marks) Typing(ctx context.Context, user string, room int64) error {
	if err := allow(ctx, m.store, user, room, actMark); err != nil {
		return err
	}
	m.pub.Publish([]Event{stateEvent(KindTyping, room, user, time.Now())}, nil)
	return nil
}

// stateEvent makes an event without a seq; its id is random.
func stateEvent(kind Kind, room int64, user string, at time.Time) Event {
	return Event{
		Log: LogRef{Room: room}, LogID: room, Kind: kind, MessageID: rand.Text(), UserID: user, At: at,
	}
}
