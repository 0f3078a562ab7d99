package faults

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// membership is who was a member of which room when: by the log's own MEMBER events, which is exact, and by the clock
// of those who asked for changes.
type membership struct {
	byPlace map[place]*access
	never   *access
}

type place struct {
	room int64
	user string
}

// access is one user's to one room.
type access struct {
	known   bool // the user has been a member at some time
	removed bool // at some time
	seqs    []seqSpan
	times   []timeSpan
}

// seqSpan is a stretch of the log that was written while the user was out; the bounds are not in it.
type seqSpan struct{ from, to int64 }

// timeSpan is a time in which the user surely was out: from the acknowledgement of a removal to the next invitation.
type timeSpan struct{ from, to time.Duration }

func newMembership(changes []Change, stored []StoredEvent) *membership {
	m := &membership{byPlace: map[place]*access{}, never: &access{}}
	for _, change := range changes {
		m.at(change.Room, change.User).byClock(change)
	}
	var told []StoredEvent
	for _, e := range stored {
		if e.Kind == kindMember {
			told = append(told, e)
		}
	}
	slices.SortStableFunc(told, func(a, b StoredEvent) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, e := range told {
		m.at(e.Room, e.Sender).bySeq(e.Seq, e.Change == joined)
	}
	return m
}

func (m *membership) at(room int64, user string) *access {
	p := place{room, user}
	if m.byPlace[p] == nil {
		m.byPlace[p] = &access{known: true}
	}
	return m.byPlace[p]
}

// of is a user's access to a room.
func (m *membership) of(room int64, user string) *access {
	if a := m.byPlace[place{room, user}]; a != nil {
		return a
	}
	return m.never
}

func (a *access) byClock(change Change) {
	last := len(a.times) - 1
	isOut := last >= 0 && a.times[last].to == math.MaxInt64
	switch {
	case change.Joined && isOut:
		a.times[last].to = change.Invoked
	case !change.Joined && !isOut:
		a.removed = true
		a.times = append(a.times, timeSpan{change.Acked, math.MaxInt64})
	}
}

func (a *access) bySeq(seq int64, in bool) {
	last := len(a.seqs) - 1
	isOut := last >= 0 && a.seqs[last].to == math.MaxInt64
	switch {
	case in && isOut:
		a.seqs[last].to = seq
	case !in && !isOut:
		a.removed = true
		a.seqs = append(a.seqs, seqSpan{seq, math.MaxInt64})
	}
}

// forbids says why the user must not see an event of the log, or "". What is known of its sending may be nil.
func (a *access) forbids(seq int64, sent *intent) string {
	if !a.known {
		return "never a member"
	}
	for _, span := range a.seqs {
		if span.from < seq && seq < span.to {
			return fmt.Sprintf("no member since seq %d", span.from)
		}
	}
	if sent == nil {
		return ""
	}
	for _, span := range a.times {
		if span.from < sent.invoked && (span.to == math.MaxInt64 || sent.acked > 0 && sent.acked < span.to) {
			return fmt.Sprintf("no member since %v, and it was sent at %v", span.from, sent.invoked)
		}
	}
	return ""
}
