package hub

import (
	"context"

	"github.com/fliliy/chat/gateway/internal/event"
)

// indexFrom is the size from which a roster finds sinks by map. Most rooms are two people: they need none.
const indexFrom = 64

// subscription is one sink on one log.
type subscription struct {
	user    string
	session string
	sink    event.Sink

	// Guarded by the track's lock.
	leave context.CancelCauseFunc // ends its join; nil once live
	from  int64                   // once live: events up to this seq are not for it
	// Its user was allowed by the chat service at this seq, so that an earlier loss of access is history.
	checked int64
	live    bool
	gone    bool
	place   int // in the roster's slice
}

// roster are the subscriptions of one log.
type roster struct {
	live    []*subscription
	joining []*subscription
	bySink  map[event.Sink]*subscription // only in large rosters
}

func (r *roster) size() int {
	return len(r.live) + len(r.joining)
}

func (r *roster) find(sink event.Sink) *subscription {
	if r.bySink != nil {
		return r.bySink[sink]
	}
	for _, list := range [...][]*subscription{r.live, r.joining} {
		for _, s := range list {
			if s.sink == sink {
				return s
			}
		}
	}
	return nil
}

// join adds a subscription whose sink is not there yet.
func (r *roster) join(s *subscription) {
	push(&r.joining, s)
	switch {
	case r.bySink != nil:
		r.bySink[s.sink] = s
	case r.size() >= indexFrom:
		r.bySink = make(map[event.Sink]*subscription, 2*indexFrom)
		for _, list := range [...][]*subscription{r.live, r.joining} {
			for _, other := range list {
				r.bySink[other.sink] = other
			}
		}
	}
}

// enliven moves a joining subscription to the live ones.
func (r *roster) enliven(s *subscription, from, checked int64) {
	pull(&r.joining, s)
	s.live, s.from, s.checked, s.leave = true, from, checked, nil
	push(&r.live, s)
}

func (r *roster) remove(s *subscription) {
	if s.live {
		pull(&r.live, s)
	} else {
		pull(&r.joining, s)
	}
	s.gone = true
	delete(r.bySink, s.sink)
	if r.size() == 0 {
		*r = roster{}
	}
}

func push(list *[]*subscription, s *subscription) {
	s.place = len(*list)
	*list = append(*list, s)
}

// pull removes a subscription by putting the last one in its place.
func pull(list *[]*subscription, s *subscription) {
	end := len(*list) - 1
	moved := (*list)[end]
	(*list)[s.place] = moved
	moved.place = s.place
	(*list)[end] = nil
	*list = (*list)[:end]
}
