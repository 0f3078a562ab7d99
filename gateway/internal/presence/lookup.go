package presence

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
)

// MaxLookup is how many users one look-up tells, or may ask for.
const MaxLookup = 1000

const (
	lookupTimeout = 50 * time.Millisecond // of a look-up, Redis or not
	localLife     = time.Second           // of what is gathered from memory while Redis is away
)

// ErrStale says that Redis is out of reach and the answer holds only what this gateway knows by itself.
var ErrStale = errors.New("presence is answered from this gateway's own sessions only: Redis is out of reach")

// Status is a user's presence as everyone sees it.
type Status struct {
	Status   string    // online, away, busy or offline
	LastSeen time.Time // when she was last known to be online; zero if not known
}

// Online tells who has the room open now, up to MaxLookup of them. It costs one Redis round trip, shared by all who
// ask about the same room at the same time, and takes 50 ms at most: when Redis is away or slow, the answer is what
// this gateway knows, and Stale. It is never older than the call, so who joins the room's live events first and then
// asks misses nothing.
func (p *Presence) Online(ctx context.Context, room int64) event.Online {
	if p.Ready() != nil {
		return p.localOnline(room)
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	flight := p.flights.join(room, p.store.online)
	select {
	case <-flight.landed:
		if flight.err == nil {
			return flight.online
		}
	case <-ctx.Done():
	}
	return p.localOnline(room)
}

// Statuses tells the presence of up to MaxLookup users, in one round trip and 50 ms at most. When Redis is away or
// slow, the error is ErrStale, and only users with a session on this gateway are in the answer.
func (p *Presence) Statuses(ctx context.Context, users []string) (map[string]Status, error) {
	if len(users) > MaxLookup {
		return nil, fmt.Errorf("look up presence of %d users: ask for at most %d at a time", len(users), MaxLookup)
	}
	if len(users) == 0 {
		return map[string]Status{}, nil
	}
	if p.Ready() == nil {
		ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
		defer cancel()
		if found, err := p.store.statuses(ctx, users); err == nil {
			return found, nil
		}
	}
	return p.localStatuses(users), ErrStale
}

// gathered is who of this gateway's users has which room open.
type gathered struct {
	rooms map[int64][]event.OnlineMember
	at    time.Time
}

// localOnline answers Online from memory. All sessions are gone through for it, so the answer for every room is kept
// for a second.
func (p *Presence) localOnline(room int64) event.Online {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); p.local == nil || now.Sub(p.local.at) >= localLife {
		p.local = &gathered{rooms: p.gather(), at: now}
	}
	members := p.local.rooms[room]
	if len(members) > MaxLookup {
		return event.Online{Members: members[:MaxLookup:MaxLookup], Truncated: true, Stale: true}
	}
	return event.Online{Members: members, Stale: true}
}

// gather lists the users on this gateway by room. Under mu.
func (p *Presence) gather() map[int64][]event.OnlineMember {
	rooms := make(map[int64][]event.OnlineMember)
	for _, u := range p.users {
		best, open := u.total()
		for _, room := range open {
			rooms[room] = append(rooms[room], event.OnlineMember{User: u.id, Status: best.String()})
		}
	}
	return rooms
}

func (p *Presence) localStatuses(users []string) map[string]Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := make(map[string]Status)
	for _, id := range users {
		if u := p.users[id]; u != nil && len(u.sessions) > 0 {
			best, _ := u.total()
			found[id] = Status{Status: best.String(), LastSeen: p.now()}
		}
	}
	return found
}

// online asks Redis who has a room open.
func (s *store) online(ctx context.Context, room int64) (event.Online, error) {
	answer, err := onlineScript.RunRO(ctx, s.rdb, nil, room, MaxLookup+1).StringSlice()
	if err != nil {
		return event.Online{}, fmt.Errorf("look up who is online in room %d: %w", room, err)
	}
	members := make([]event.OnlineMember, 0, len(answer)/2)
	for i := 0; i+1 < len(answer); i += 2 {
		members = append(members, event.OnlineMember{User: answer[i], Status: answer[i+1]})
	}
	if len(members) > MaxLookup {
		return event.Online{Members: members[:MaxLookup], Truncated: true}, nil
	}
	return event.Online{Members: members}, nil
}
