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

// knownRooms remembers who is in the rooms that were written to lately, and how their logs ended then. Whatever decides
// about a message changes with the head of its log: an append that finds the head as it is remembered, when it has
// locked it, has the right standings too. Safe for concurrent use.
type knownRooms struct {
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
	seq       int64
	at        time.Time // of the last event: logs.changed_at
	standings *chat.Standings
}

// ends returns how the logs of all rooms of a batch ended, and the database's time, to a few milliseconds. It says false
// when one of them is not remembered, or is to have an event that more decides about than who is in the room, or would
// have one of a time that is not after that of its last; and after a surprise.
func (k *knownRooms) ends(units [][]chat.Draft) (map[int64]roomEnd, time.Time, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	since := time.Since(k.read)
	if k.left > 0 || since > clockIsGood {
		k.left = max(0, k.left-1)
		return nil, time.Time{}, false
	}
	now := k.clock.Add(since).Truncate(time.Microsecond)
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
			end, ok := k.end(d.Room)
			if !ok || !now.After(end.at) {
				return nil, now, false
			}
			ends[d.Room] = end
		}
	}
	return ends, now, true
}

// end returns how a room's log ended. Its caller holds the lock.
func (k *knownRooms) end(room int64) (roomEnd, bool) {
	if end, ok := k.recent[room]; ok {
		return end, true
	}
	end, ok := k.older[room]
	if ok {
		k.keep(room, end)
	}
	return end, ok
}

// confirmed notes that an append found everything as remembered.
func (k *knownRooms) confirmed() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.distrust /= 2
}

// surprised notes that one of these rooms did not end as remembered.
func (k *knownRooms) surprised(ends map[int64]roomEnd) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.distrust = min(max(1, 2*k.distrust), maxDistrust)
	k.left = k.distrust
	for room := range ends {
		k.drop(room)
	}
}

// readClock takes note of the database's time.
func (k *knownRooms) readClock(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.clock, k.read = now, time.Now()
}

// remember takes note of rooms whose last event is of this time. Where somebody is muted, the clock decides about messages
// as well: such rooms are not remembered.
func (k *knownRooms) remember(grown []chat.Grown, at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range grown {
		g := &grown[i]
		switch {
		case g.Log.Room == 0:
		case anyMuted(g.Standings, at):
			k.drop(g.LogID)
		default:
			k.keep(g.LogID, roomEnd{g.Seq, at, g.Standings})
		}
	}
}

// keep enters a room as one that was just of use. Its caller holds the lock.
func (k *knownRooms) keep(room int64, end roomEnd) {
	if k.recent == nil || k.members >= maxRemembered {
		k.recent, k.older, k.members = make(map[int64]roomEnd), k.recent, 0
	}
	if _, there := k.recent[room]; !there {
		k.members += 1 + len(end.standings.Of)
	}
	k.recent[room] = end
}

// drop forgets a room. Its caller holds the lock.
func (k *knownRooms) drop(room int64) {
	delete(k.recent, room)
	delete(k.older, room)
}

// forget drops all that is remembered: the server may be another one than before.
func (k *knownRooms) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.recent, k.older, k.members = nil, nil, 0
}

func anyMuted(standings *chat.Standings, at time.Time) bool {
	for _, standing := range standings.Of {
		if standing.MutedUntil.After(at) {
			return true
		}
	}
	return false
}
