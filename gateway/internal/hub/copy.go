package hub

import (
	"hash/maphash"
	"sync"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/metrics"
)

// copiedRooms bounds, per inbox, the rooms whose last copy is remembered.
const copiedRooms = 256

// DeliverCopy passes live copies of a room's events on to the user's inbox subscriptions, except those of sessions
// that are live on the room themselves. See the package comment for what is promised of copies.
func (h *Hub) DeliverCopy(user string, room int64, events []event.Event) {
	t := h.lookup(event.Log{User: user})
	if t == nil {
		h.metrics.HubDropped.Add(metrics.DropUninterested, len(events))
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	fresh := t.freshCopies(room, events)
	h.metrics.HubDropped.Add(metrics.DropOld, len(events)-len(fresh))
	for _, s := range t.roster.live {
		if h.follows.has(s.session, room) {
			h.metrics.HubDropped.Add(metrics.DropCovered, len(fresh))
			continue
		}
		for i := range fresh {
			s.sink.Deliver(&fresh[i])
		}
	}
}

// Covered says whether live copies of a room's events are for nobody here, because all sessions with an inbox
// subscription of the user are live on the room themselves, or there are none. Then they count as passed on, and need not
// be read: in small rooms most of what arrives are such copies. newest is the seq of the last of the events.
func (h *Hub) Covered(user string, room, newest int64, events int) bool {
	t := h.lookup(event.Log{User: user})
	if t == nil {
		h.metrics.HubDropped.Add(metrics.DropUninterested, events)
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.roster.live {
		if !h.follows.has(s.session, room) {
			return false
		}
	}
	h.metrics.HubDropped.Add(metrics.DropCovered, events*len(t.roster.live))
	t.notePassed(room, newest)
	return true
}

// freshCopies leaves out the events that are not newer than the last copy of the room, and remembers the newest.
func (t *track) freshCopies(room int64, events []event.Event) []event.Event {
	last := t.copied[room]
	for len(events) > 0 && events[0].Seq > 0 && events[0].Seq <= last {
		events = events[1:]
	}
	if len(events) > 0 {
		t.notePassed(room, events[len(events)-1].Seq)
	}
	return events
}

// notePassed remembers up to where copies of a room were passed on, while there is somebody to pass them to.
func (t *track) notePassed(room, newest int64) {
	last, known := t.copied[room]
	if newest <= last || len(t.roster.live) == 0 {
		return
	}
	if t.copied == nil || (!known && len(t.copied) >= copiedRooms) {
		t.copied = make(map[int64]int64)
	}
	t.copied[room] = newest
}

// follows says which sessions are live on which rooms of this node.
type follows struct {
	shards [shardCount]struct {
		mu    sync.RWMutex
		count map[follow]int32 // a session may subscribe a room more than once
	}
}

type follow struct {
	session string
	room    int64
}

func (f *follows) init() {
	for i := range f.shards {
		f.shards[i].count = make(map[follow]int32)
	}
}

func (f *follows) has(session string, room int64) bool {
	key := follow{session, room}
	s := &f.shards[maphash.Comparable(seed, key)%shardCount]
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.count[key] > 0
}

func (f *follows) add(session string, room int64) {
	key := follow{session, room}
	s := &f.shards[maphash.Comparable(seed, key)%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count[key]++
}

func (f *follows) remove(session string, room int64) {
	key := follow{session, room}
	s := &f.shards[maphash.Comparable(seed, key)%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count[key]--; s.count[key] <= 0 {
		delete(s.count, key)
	}
}
