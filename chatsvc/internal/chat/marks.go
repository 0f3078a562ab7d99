package chat

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"
)

// Mark is a member's read or delivered mark after a move.
type Mark struct {
	Member bool // false: there is no such member, and nothing else is set
	Seq    int64
	Moved  bool
	Large  bool      // the room has more than MaxLive members
	At     time.Time // of the move, by the database's clock
}

// Marks is the use cases around state that is no event of a log: marks and typing. Safe for concurrent use.
type Marks struct {
	store MarkStore
	pub   Publisher
}

// NewMarks returns the use cases over a store; READ, DELIVERED and TYPING go to pub.
func NewMarks(store MarkStore, pub Publisher) *Marks {
	return &Marks{store: store, pub: pub}
}

// Read moves the user's read mark in a room forward to seq, never back, and returns where it stands. 0 is
// everything, a seq beyond the head is the head. READ is published when it moved, in a room of more than MaxLive members
// to the user's own sessions alone.
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
	return m.moved(KindRead, room, user, mark)
}

// Delivered moves the user's delivered mark in a room forward to seq, never back, and returns where it stands. A seq
// beyond the head is the head. DELIVERED is published when it moved, in rooms of at most MaxLive members. What is read
// is delivered, without a word: READ says so.
func (m *Marks) Delivered(ctx context.Context, user string, room, seq int64) (int64, error) {
	if room <= 0 {
		return 0, noSuchRoom(room)
	}
	if seq <= 0 {
		return 0, refuse(Invalid, "seq is %d: use that of an event that was delivered", seq)
	}
	mark, err := m.store.MarkDelivered(ctx, room, user, seq)
	if err != nil {
		return 0, fmt.Errorf("mark delivered: %w", err)
	}
	return m.moved(KindDelivered, room, user, mark)
}

// moved tells the room of a mark that moved. In a large room everybody marks it read on coming in, and telling all
// who are there would grow with its square: only the reader's own sessions hear of it.
func (m *Marks) moved(kind Kind, room int64, user string, mark Mark) (int64, error) {
	if !mark.Member {
		return 0, noSuchRoom(room)
	}
	if mark.Moved && (!mark.Large || kind == KindRead) {
		e := stateEvent(kind, room, user, mark.At)
		e.Mark, e.Private = mark.Seq, mark.Large
		m.pub.Publish([]Event{e}, nil)
	}
	return mark.Seq, nil
}

// Typing tells the room that a member types.
func (m *Marks) Typing(ctx context.Context, user string, room int64) error {
	if err := allow(ctx, m.store, user, room, actType); err != nil {
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
