package presence

import (
	"context"
	"sync"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
)

// flightGap is the least time between the starts of two look-ups of one room: what a reconnect storm in one room
// costs Redis. It is added to the wait of those who have to ask anew.
const flightGap = 20 * time.Millisecond

// flights share look-ups of one room among those who ask at the same time. Who asks while a look-up is under way gets
// the next one, and not that one: it may have read before the caller joined the room, and a change in between would
// never reach her. (That is why it is not golang.org/x/sync/singleflight.) The zero value is ready.
type flights struct {
	mu    sync.Mutex
	rooms map[int64]*flight // the look-up under way
}

// flight is one look-up; its result may be read once landed is closed.
type flight struct {
	landed chan struct{}
	online event.Online
	err    error
	next   *flight // for those who came after it had started; guarded by flights.mu
}

// join returns a look-up that has not started reading yet. It goes on when the caller does not wait for it.
func (f *flights) join(room int64, ask func(context.Context, int64) (event.Online, error)) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	if current := f.rooms[room]; current != nil {
		if current.next == nil {
			current.next = &flight{landed: make(chan struct{})}
		}
		return current.next
	}
	if f.rooms == nil {
		f.rooms = make(map[int64]*flight)
	}
	first := &flight{landed: make(chan struct{})}
	f.rooms[room] = first
	go f.run(room, first, ask)
	return first
}

// run makes one look-up after the other as long as somebody waits.
func (f *flights) run(room int64, current *flight, ask func(context.Context, int64) (event.Online, error)) {
	for current != nil {
		gap := time.NewTimer(flightGap)
		ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
		current.online, current.err = ask(ctx, room)
		cancel()
		close(current.landed)
		<-gap.C
		current = f.advance(room, current)
	}
}

// advance makes the look-up that others wait for the current one, if there is one.
func (f *flights) advance(room int64, landed *flight) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	if landed.next == nil {
		delete(f.rooms, room)
		return nil
	}
	f.rooms[room] = landed.next
	return landed.next
}
