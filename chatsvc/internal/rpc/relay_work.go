package rpc

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// start sets a job going. The reader calls it, one job after the other.
func (r *relayStream) start(j *job) {
	switch {
	case len(j.sends) == 0:
		r.startMarks(j)
	case len(j.marks) == 0:
		r.submit(j, r.succeed)
	default:
		r.startBoth(j)
	}
}

// startBoth first makes sure that the marks will be allowed, in the reader's own time, as sends that follow must come
// after this job's. It is for transactions that mix both, which are rare.
func (r *relayStream) startBoth(j *job) {
	for _, m := range j.roomsToCheck() {
		if err := r.check(j.user, m.room); err != nil {
			r.refuse(j, err, m.action)
			return
		}
	}
	r.submit(j, func(j *job, stored []chat.Stored) {
		go r.runMarks(j, stored)
	})
}

// check asks for a room's history to learn whether the user may: the refusal is wanted, not the page.
func (r *relayStream) check(user string, room int64) error {
	ctx, cancel := r.context()
	defer cancel()
	_, _, err := r.service.messages.History(ctx, user, room, chat.Range{After: -1, Limit: 1})
	return err
}

// submit gives a job's sends to the scribe, as one unit; then goes on with what is stored.
func (r *relayStream) submit(j *job, then func(*job, []chat.Stored)) {
	unit := j.sends
	j.sends = nil // the scribe owns the unit from now on
	rooms := r.enqueue(j, unit)
	r.service.messages.Submit(unit, func(stored []chat.Stored, err error) {
		r.dequeue(j, rooms)
		if err != nil {
			r.refuse(j, err, j.actionOf(draftOf(err)))
			return
		}
		then(j, stored)
	})
}

// enqueue makes the job the one that marks of its rooms wait for. It returns the rooms.
func (r *relayStream) enqueue(j *job, unit []chat.Draft) []int64 {
	r.units++
	j.ordinal = r.units
	rooms := make([]int64, len(unit))
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range unit {
		rooms[i] = unit[i].Room
		r.turns[unit[i].Room] = j
	}
	return rooms
}

// dequeue starts the marks that have waited for the job.
func (r *relayStream) dequeue(j *job, rooms []int64) {
	r.mu.Lock()
	j.stored = true
	waiting := j.after
	j.after = nil
	for _, room := range rooms {
		if r.turns[room] == j {
			delete(r.turns, room)
		}
	}
	r.mu.Unlock()
	for _, next := range waiting {
		go r.runMarks(next, nil)
	}
}

// draftOf returns which draft of its unit an error is about.
func draftOf(err error) int {
	if refusal, ok := errors.AsType[*chat.Error](err); ok {
		return refusal.Action
	}
	return 0
}

// startMarks runs the marks of a job without sends, behind the sends to its rooms that are under way. Units are
// stored in their order, so that waiting for the newest is enough.
func (r *relayStream) startMarks(j *job) {
	r.mu.Lock()
	var last *job
	for _, m := range j.marks {
		if unit := r.turns[m.room]; unit != nil && (last == nil || unit.ordinal > last.ordinal) {
			last = unit
		}
	}
	waits := last != nil && !last.stored
	if waits {
		last.after = append(last.after, j)
	}
	r.mu.Unlock()
	if !waits {
		go r.runMarks(j, nil)
	}
}

// runMarks carries out a job's marks in their order and finishes it. With sends that are stored already (stored), it
// cannot be refused any more: a mark that fails is counted, and the client's next one makes up for it.
func (r *relayStream) runMarks(j *job, stored []chat.Stored) {
	action, err := r.tryMarks(j)
	switch {
	case err == nil:
		r.succeed(j, stored)
	case stored != nil:
		r.service.metrics.RelayMarksFailed.Inc()
		r.succeed(j, stored)
	default:
		r.refuse(j, err, action)
	}
}

func (r *relayStream) tryMarks(j *job) (action int, err error) {
	defer func() {
		if p := recover(); p != nil {
			r.service.metrics.Panics.Inc()
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	ctx, cancel := r.context()
	defer cancel()
	select {
	case r.service.marksUnderWay <- struct{}{}:
		defer func() { <-r.service.marksUnderWay }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	for _, m := range j.marks {
		switch m.verb {
		case chatv1.Verb_VERB_READ:
			_, err = r.service.marks.Read(ctx, j.user, m.room, m.seq)
		case chatv1.Verb_VERB_DELIVERED:
			_, err = r.service.marks.Delivered(ctx, j.user, m.room, m.seq)
		default:
			err = r.service.marks.Typing(ctx, j.user, m.room)
		}
		if err != nil {
			return m.action, err
		}
	}
	return 0, nil
}
