package chat

import (
	"context"
	"fmt"
	"time"
)

// MaxHeads is how many heads can be asked for at once.
const MaxHeads = 10_000

// Snapshot is the state of a log when a subscription was allowed.
type Snapshot struct {
	Head   int64
	Events []Event // after the seq asked for, in order, the newest MaxEvents of them; empty without one
	// GapFrom and GapTo are the first and last seq that were missed and are not in Events; 0 without a gap.
	GapFrom, GapTo int64
	// MemberIDs are the members of a room of at most MaxLive.
	MemberIDs []string
	// Hidden is what the log has and the user must not see.
	Hidden Spans
}

// Logs is the use cases of gateways, which keep their subscriptions in step with logs. Safe for concurrent use.
type Logs struct {
	store LogStore
	marks *Marks
}

// NewLogs returns the use cases over a store; subscribing marks rooms read.
func NewLogs(store LogStore, marks *Marks) *Logs {
	return &Logs{store: store, marks: marks}
}

// Subscribe checks that the user may follow the log and returns its state. lastSeq is the newest seq that the client
// has; -1 is none, and asks for no events. A room is marked read up to the head.
func (l *Logs) Subscribe(ctx context.Context, user string, log LogRef, lastSeq int64) (Snapshot, error) {
	if lastSeq < -1 {
		return Snapshot{}, refuse(Invalid, "last-seq is %d, and cannot be negative", lastSeq)
	}
	member, members, err := l.mayFollow(ctx, user, log)
	if err != nil {
		return Snapshot{}, err
	}
	snapshot, err := l.snapshot(ctx, log, lastSeq, member.Hidden)
	if err != nil {
		return Snapshot{}, err
	}
	snapshot.MemberIDs, snapshot.Hidden = members, member.Hidden
	if log.Room > 0 && snapshot.Head > member.LastRead {
		if _, err := l.marks.Read(ctx, user, log.Room, snapshot.Head); err != nil {
			return Snapshot{}, err
		}
	}
	return snapshot, nil
}

// mayFollow checks access, and tells about the member of a room, and who else is in it.
func (l *Logs) mayFollow(ctx context.Context, user string, log LogRef) (Member, []string, error) {
	if log.User != "" {
		if log.Room != 0 || log.User != user {
			return Member{}, nil, refuse(Forbidden, "an inbox can be read by its own user only")
		}
		return Member{}, nil, nil
	}
	if log.Room <= 0 {
		return Member{}, nil, noSuchRoom(log.Room)
	}
	member, members, err := l.store.Entrance(ctx, log.Room, user)
	if err != nil {
		return Member{}, nil, fmt.Errorf("look up member: %w", err)
	}
	if refusal := may(member, actRead, log.Room, time.Now()); refusal != nil {
		return Member{}, nil, refusal
	}
	return member, members, nil
}

func (l *Logs) snapshot(ctx context.Context, log LogRef, lastSeq int64, hidden Spans) (Snapshot, error) {
	if lastSeq < 0 {
		heads, err := l.store.Heads(ctx, []LogRef{log})
		if err != nil {
			return Snapshot{}, fmt.Errorf("read head: %w", err)
		}
		return Snapshot{Head: heads[0].Seq}, nil
	}
	events, head, err := page(ctx, l.store, log, Stretch{After: lastSeq, Limit: MaxEvents, Newest: true}, hidden)
	if err != nil {
		return Snapshot{}, err
	}
	snapshot := Snapshot{Head: head, Events: events}
	if len(events) > 0 {
		if left := hidden.without(Stretch{After: lastSeq, Before: events[0].Seq}); len(left) > 0 {
			snapshot.GapFrom, snapshot.GapTo = left[0].After+1, left[len(left)-1].Before-1
		}
	}
	return snapshot, nil
}

// Read returns the events with after < seq <= upTo (0: the head) in order, without gaps from after+1 on, at most
// MaxEvents of them, and the head. It checks no access: gateways ask, for logs that they follow.
func (l *Logs) Read(ctx context.Context, log LogRef, after, upTo int64) ([]Event, int64, error) {
	if after < 0 || upTo < 0 {
		return nil, 0, refuse(Invalid, "after_seq and up_to_seq cannot be negative")
	}
	stretch := Stretch{After: after, Limit: MaxEvents}
	if upTo > 0 {
		stretch.Before = upTo + 1
	}
	return page(ctx, l.store, log, stretch, nil)
}

// Heads returns the newest seq of each log, in the order asked.
func (l *Logs) Heads(ctx context.Context, logs []LogRef) ([]Head, error) {
	if len(logs) > MaxHeads {
		return nil, refuse(TooLarge, "heads of %d logs are asked for, at most %d are allowed", len(logs), MaxHeads)
	}
	if len(logs) == 0 {
		return nil, nil
	}
	heads, err := l.store.Heads(ctx, logs)
	if err != nil {
		return nil, fmt.Errorf("read heads: %w", err)
	}
	return heads, nil
}
