package postgres

import (
	"sync"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// How many members are remembered, twice at most, and for how long the database's clock is.
const (
	maxRemembered = 100_000
	clockIsGood   = 10 * time.Second
)

// maxDistrust is how many appends at most go by nothing that is remembered after one that was wrong to.
const maxDistrust = 256

// rosters remembers who is in the rooms that were written to lately, and how their logs ended then. Whatever decides
// about a message changes with the head of its log: an append that finds the head as it is remembered, when it has
// locked it, has the right roster too. Safe for concurrent use.
type rosters struct {
	mu            sync.Mutex
	recent, older map[int64]roomEnd // older is what recent was before it was full
	members       int               // in recent
	clock, read   time.Time         // the database's time, and when it was read here

	// Rooms that other replicas write to as well surprise all the time: each surprise doubles how many appends trust
	// nothing after it, each append without one halves it.
	distrust, left int
}

// roomEnd is the end of a room's log, and who was in the room then.
type roomEnd struct {
	seq    int64
	at     time.Time // of the last event: logs.changed_at
	roster *chat.Roster
}

// ends returns how the logs of all rooms of a batch ended, and the database's time, to a few milliseconds. It says false
// when one of them is not remembered, or is to have an event that more decides about than who is in the room, or would
// have one of a time that is not after that of its last; and after a surprise.
func (r *rosters) ends(units [][]chat.Draft) (map[int64]roomEnd, time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	since := time.Since(r.read)
	if r.left > 0 || since > clockIsGood {
		r.left = max(0, r.left-1)
		return nil, time.Time{}, false
	}
	now := r.clock.Add(since).Truncate(time.Microsecond)
	ends := make(map[int64]roomEnd)
	for _, unit := range units {
		for i := range unit {
			d := &unit[i]
			if d.Inbox != "" || d.Target > 0 {
				return nil, now, false
			}
			if _, there := ends[d.Room]; there {
				continue
			}
			end, ok := r.end(d.Room)
			if !ok || !now.After(end.at) {
				return nil, now, false
			}
			ends[d.Room] = end
		}
	}
	return ends, now, true
}

// end returns how a room's log ended. Its caller holds the lock.
func (r *rosters) end(room int64) (roomEnd, bool) {
	if end, ok := r.recent[room]; ok {
		return end, true
	}
	end, ok := r.older[room]
	if ok {
		r.keep(room, end)
	}
	return end, ok
}

// confirmed notes that an append found everything as remembered.
func (r *rosters) confirmed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.distrust /= 2
}

// surprised notes that one of these rooms did not end as remembered.
func (r *rosters) surprised(ends map[int64]roomEnd) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.distrust = min(max(1, 2*r.distrust), maxDistrust)
	r.left = r.distrust
	for room := range ends {
		r.drop(room)
	}
}

// readClock takes note of the database's time.
func (r *rosters) readClock(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock, r.read = now, time.Now()
}

// remember takes note of rooms whose last event is of this time. Where somebody is muted, the clock decides about messages
// as well: such rooms are not remembered.
func (r *rosters) remember(grown []chat.Grown, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range grown {
		g := &grown[i]
		switch {
		case g.Log.Room == 0:
		case anyMuted(g.Roster, at):
			r.drop(g.LogID)
		default:
			r.keep(g.LogID, roomEnd{g.Seq, at, g.Roster})
		}
	}
}

// keep enters a room as one that was just of use. Its caller holds the lock.
func (r *rosters) keep(room int64, end roomEnd) {
	if r.recent == nil || r.members >= maxRemembered {
		r.recent, r.older, r.members = make(map[int64]roomEnd), r.recent, 0
	}
	if _, there := r.recent[room]; !there {
		r.members += 1 + len(end.roster.Standing)
	}
	r.recent[room] = end
}

// drop forgets a room. Its caller holds the lock.
func (r *rosters) drop(room int64) {
	delete(r.recent, room)
	delete(r.older, room)
}

// forget drops all that is remembered: the server may be another one than before.
func (r *rosters) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recent, r.older, r.members = nil, nil, 0
}

func anyMuted(roster *chat.Roster, at time.Time) bool {
	for _, standing := range roster.Standing {
		if standing.MutedUntil.After(at) {
			return true
		}
	}
	return false
}
