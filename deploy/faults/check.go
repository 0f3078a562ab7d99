package faults

import (
	"cmp"
	"slices"
)

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

// kinds of events that the check knows; others are only counted into the order of the log.
const (
	kindMessage = "MESSAGE"
	kindMember  = "MEMBER"
	joined      = "joined" // a MEMBER event's change
)

// Check compares what clients did and saw with all rows of the rooms they used. The History has to be quiet: senders
// done, and every client that is to be complete caught up.
//
// Members may read what was written before they joined first; what was written between a removal and the next joining
// is not for them.
func Check(h *History, stored []StoredEvent) *Report {
	c := &checker{
		history: h, report: newReport(), rooms: map[int64]*roomLog{},
		intents: map[key]*intent{}, members: newMembership(h.Changes(), stored),
	}
	c.gather()
	c.checkStore(stored)
	c.checkSends()
	c.checkRealTime()
	for _, s := range h.Sessions() {
		c.checkSession(s)
	}
	c.report.addN(Stray, int(h.strays.Load()), "events came on subscriptions after the RECEIPT of their UNSUBSCRIBE")
	return c.report
}

type checker struct {
	history *History
	report  *Report
	rooms   map[int64]*roomLog
	intents map[key]*intent
	members *membership
	seen    []bool // of one session, by seq; kept for the next one
}

// roomLog is the store's truth about one room.
type roomLog struct {
	head  int64
	bySeq map[int64]*StoredEvent
	byKey map[key]*StoredEvent
}

func (c *checker) room(id int64) *roomLog {
	r := c.rooms[id]
	if r == nil {
		r = &roomLog{bySeq: map[int64]*StoredEvent{}, byKey: map[key]*StoredEvent{}}
		c.rooms[id] = r
	}
	return r
}

// checkStore reads the rows: every log has to be gap-free, every message once and sent by somebody.
func (c *checker) checkStore(stored []StoredEvent) {
	c.report.Stored = len(stored)
	ordered := slices.SortedStableFunc(slices.Values(stored), func(a, b StoredEvent) int {
		return cmp.Or(cmp.Compare(a.Room, b.Room), cmp.Compare(a.Seq, b.Seq))
	})
	for i := range ordered {
		c.checkRow(&ordered[i])
	}
}

func (c *checker) checkRow(e *StoredEvent) {
	r := c.room(e.Room)
	switch {
	case r.bySeq[e.Seq] != nil:
		c.report.add(Duplicated, e.Room, "the store has two rows of seq %d", e.Seq)
		return
	case e.Seq != r.head+1:
		c.report.add(Hole, e.Room, "the store has nothing between seq %d and %d", r.head, e.Seq)
	}
	r.bySeq[e.Seq], r.head = e, e.Seq
	if e.Kind != kindMessage {
		return
	}
	k := key{e.Room, e.Sender, e.ClientMessageID}
	if first := r.byKey[k]; first != nil {
		c.report.add(Duplicated, e.Room, "the store has message %s of %s at seq %d and at seq %d",
			e.ClientMessageID, e.Sender, first.Seq, e.Seq)
		return
	}
	r.byKey[k] = e
	switch sent := c.intents[k]; {
	case sent == nil:
		c.report.add(Phantom, e.Room, "the store has seq %d, message %q of %s, that nobody sent",
			e.Seq, e.ClientMessageID, e.Sender)
	case sent.refused:
		c.report.add(Phantom, e.Room, "the store has seq %d, message %s of %s, that was refused for good",
			e.Seq, e.ClientMessageID, e.Sender)
	}
}
