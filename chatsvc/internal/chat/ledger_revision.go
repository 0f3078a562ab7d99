package chat

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// logPlace is a place in a log.
type logPlace struct{ logID, seq int64 }

// target is the state of a target while a batch is judged.
type target struct {
	Target
	editedAt time.Time
	stored   bool // it was before this batch
	revised  bool
}

// change is what a target was before the unit that is being judged changed it.
type change struct {
	at  logPlace
	was target
}

// AddTarget enters an event that a draft names as its target; those that are not entered do not exist.
func (l *Ledger) AddTarget(logID, seq int64, t Target) {
	if l.targets == nil {
		l.targets = make(map[logPlace]*target)
	}
	l.targets[logPlace{logID, seq}] = &target{Target: t, stored: true}
}

// find returns a target; one that came in this batch is looked for among its events. Nil for none.
func (l *Ledger) find(at logPlace) *target {
	if t := l.targets[at]; t != nil {
		return t
	}
	for i := len(l.result.Events) - 1; i >= 0; i-- {
		e := &l.result.Events[i]
		if e.LogID == at.logID && e.Seq == at.seq {
			return &target{Target: Target{Kind: e.Kind, SenderID: e.UserID, Type: e.Type, Content: e.Content, At: e.At}}
		}
	}
	return nil
}

// repeats returns where a draft that would change nothing is done already: the recall of a message that its sender has
// recalled, the edit to the content that it has.
func (t *target) repeats(d *Draft) (seq int64, ok bool) {
	switch {
	case t == nil || t.Kind != KindMessage || t.SenderID != d.SenderID:
		return 0, false
	case d.Kind == KindRecalled:
		return t.RecalledBy, t.RecalledBy > 0
	case t.RecalledBy > 0 || t.Content != d.Content:
		return 0, false
	case t.EditedBy > 0:
		return t.EditedBy, true
	}
	return d.Target, true
}

// mayRevise says whether the sender of a draft, a member of the room, may change its target now.
func (l *Ledger) mayRevise(d *Draft, t *target) *Error {
	what := d.verb()
	switch {
	case t == nil || t.Kind != KindMessage:
		return refuse(Invalid, "room %d has no message with the seq %d to %s: use the seq of a MESSAGE event",
			d.Room, d.Target, what)
	case t.SenderID != d.SenderID:
		return refuse(Forbidden, "only the sender of message %d may %s it", d.Target, what)
	case t.RecalledBy > 0:
		return refuse(Invalid, "message %d was recalled, and cannot be edited: send another one", d.Target)
	case d.Kind == KindEdited && t.Type != TypeText:
		return refuse(Invalid, "message %d is of type %s, and only TEXT can be edited: recall it and send another one",
			d.Target, t.Type)
	case d.Within <= 0:
		return refuse(Invalid, "message %d cannot be changed: to %s is turned off here", d.Target, what)
	case l.now.Sub(t.At) > d.Within:
		return refuse(Invalid, "message %d is too old to %s: that is possible for %s after sending", d.Target, what,
			strings.TrimSuffix(d.Within.String(), "0s"))
	}
	return nil
}

// revise applies a draft to its target, from the draft's place in the log on.
func (l *Ledger) revise(d *Draft, t *target, by logPlace) {
	at := logPlace{by.logID, d.Target}
	l.changes = append(l.changes, change{at, *t})
	t.revised = true
	if d.Kind == KindRecalled {
		t.RecalledBy, t.Content, t.editedAt = by.seq, "", time.Time{}
	} else {
		t.EditedBy, t.Content, t.editedAt = by.seq, d.Content, l.now
	}
	if l.targets == nil {
		l.targets = make(map[logPlace]*target)
	}
	l.targets[at] = t
}

// takeBackChanges undoes what the unit has changed, the newest first. A target that came with this batch is forgotten:
// if it is still there, it is found again among the events.
func (l *Ledger) takeBackChanges() {
	for i := len(l.changes) - 1; i >= 0; i-- {
		at, was := l.changes[i].at, l.changes[i].was
		if was.stored || was.revised {
			l.targets[at] = &was
		} else {
			delete(l.targets, at)
		}
	}
}

// Revised returns what the targets have become that Judge changed, in order of log id and seq.
func (l *Ledger) Revised() []Revision {
	var revised []Revision
	for at, t := range l.targets {
		if t.revised {
			revised = append(revised, Revision{
				LogID: at.logID, Seq: at.seq, Content: t.Content,
				EditedBy: t.EditedBy, EditedAt: t.editedAt, RecalledBy: t.RecalledBy,
			})
		}
	}
	slices.SortFunc(revised, func(a, b Revision) int {
		return cmp.Or(cmp.Compare(a.LogID, b.LogID), cmp.Compare(a.Seq, b.Seq))
	})
	return revised
}
