package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Limits of a page of a log.
const (
	DefaultEvents = 50
	MaxEvents     = 1_000
)

// Range is the part of a log that a client pages through. At most one of the bounds is set.
type Range struct {
	Before int64 // only events before this seq, the newest of them; 0 is no bound
	After  int64 // only events after this seq, the oldest of them; -1 is no bound
	Limit  int   // 0 is DefaultEvents
}

// Stretch is a part of a log as a store reads it: After < seq < Before.
type Stretch struct {
	After  int64
	Before int64 // 0 is no bound
	Limit  int
	Newest bool // of more than Limit, the newest instead of the oldest
}

// stretch checks the range and says what to read.
func (r Range) stretch() (Stretch, error) {
	limit, err := pageSize(r.Limit, DefaultEvents, MaxEvents)
	switch {
	case err != nil:
		return Stretch{}, err
	case r.Before < 0 || r.After < -1:
		return Stretch{}, refuse(Invalid, "beforeSeq and afterSeq cannot be negative")
	case r.Before > 0 && r.After >= 0:
		return Stretch{}, refuse(Invalid, "beforeSeq and afterSeq are both set: choose one")
	case r.After >= 0:
		return Stretch{After: r.After, Limit: limit}, nil
	}
	return Stretch{Before: r.Before, Limit: limit, Newest: true}, nil
}

// Messages is the use cases around messages. Safe for concurrent use.
type Messages struct {
	appender Appender
	logs     LogStore
	windows  Windows
}

// NewMessages returns the use cases over the appender, which stores, and a store to read from. Messages may be edited
// and recalled within DefaultWindows; see Within.
func NewMessages(appender Appender, logs LogStore) *Messages {
	return &Messages{appender: appender, logs: logs, windows: DefaultWindows}
}

// Submit stores the drafts of a unit, all or none, in the order of the calls, and owns the unit from then on. It
// blocks only while the appender's bounded queue is full. done is called exactly once, from any goroutine, also
// before Submit returns, and must not block: with one Stored per draft once they are committed, or with an error.
func (m *Messages) Submit(unit []Draft, done func([]Stored, error)) {
	if len(unit) == 0 {
		done(nil, nil)
		return
	}
	if len(unit) > MaxUnit {
		done(nil, refuse(TooLarge, "%d messages are to be stored together, at most %d are allowed", len(unit), MaxUnit))
		return
	}
	for i := range unit {
		if err := unit[i].Validate(); err != nil {
			done(nil, pointAt(err, i, unit[i].ClientMessageID))
			return
		}
		unit[i].normalize()
		unit[i].Within = m.windows.of(unit[i].Kind)
	}
	m.appender.Submit(unit, done)
}

// pointAt says in a refusal which draft it is about.
func pointAt(err error, action int, clientMessageID string) error {
	if refusal, ok := errors.AsType[*Error](err); ok {
		refusal.Action = action
		if len(clientMessageID) <= MaxClientMessageID {
			refusal.ClientMessageID = clientMessageID
		}
	}
	return err
}

// Send stores one message and waits for the commit. When the context ends first, the message may still be stored.
func (m *Messages) Send(ctx context.Context, d Draft) (Stored, error) {
	return await(ctx, func(done func([]Stored, error)) { m.Submit([]Draft{d}, done) })
}

// await turns a submission of one draft into a call that waits.
func await(ctx context.Context, submit func(done func([]Stored, error))) (Stored, error) {
	type answer struct {
		stored []Stored
		err    error
	}
	answers := make(chan answer, 1)
	submit(func(stored []Stored, err error) { answers <- answer{stored, err} })
	select {
	case a := <-answers:
		if a.err != nil {
			return Stored{}, a.err
		}
		return a.stored[0], nil
	case <-ctx.Done():
		return Stored{}, fmt.Errorf("wait for the commit: %w", ctx.Err())
	}
}

// History returns a page of a room's log, in order of seq, and the head, to a member.
func (m *Messages) History(ctx context.Context, user string, room int64, r Range) ([]Event, int64, error) {
	stretch, err := r.stretch()
	if err != nil {
		return nil, 0, err
	}
	member, err := allowed(ctx, m.logs, user, room, actRead)
	if err != nil {
		return nil, 0, err
	}
	return page(ctx, m.logs, LogRef{Room: room}, stretch, member.Hidden)
}

// page reads the head first: what it names is then there to be read. What is hidden is left out, as if it were not there.
func page(ctx context.Context, logs LogStore, log LogRef, stretch Stretch, hidden Spans) ([]Event, int64, error) {
	heads, err := logs.Heads(ctx, []LogRef{log})
	if err != nil {
		return nil, 0, fmt.Errorf("read head: %w", err)
	}
	head := heads[0].Seq
	if stretch.Before == 0 || stretch.Before > head+1 {
		stretch.Before = head + 1
	}
	parts := hidden.without(stretch)
	if stretch.Newest {
		slices.Reverse(parts)
	}
	var events []Event
	for _, part := range parts {
		part.Limit = stretch.Limit - len(events)
		if part.Limit <= 0 {
			break
		}
		read, err := logs.Events(ctx, log, part)
		switch {
		case err != nil:
			return nil, 0, fmt.Errorf("read log: %w", err)
		case stretch.Newest:
			events = append(read, events...)
		default:
			events = append(events, read...)
		}
	}
	return events, head, nil
}
