package fanin

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/fliliy/chat/gateway/internal/event"
)

// overflowEvery is the time between reports of a lane that stays full.
const overflowEvery = time.Second

// interest is a log this node wants to hear of.
type interest struct {
	log         event.Log
	destination string
	sub         *nats.Subscription
}

// lane is a channel that many NATS subscriptions share, drained by one goroutine.
type lane struct {
	queue chan *nats.Msg

	mu        sync.RWMutex
	interests map[string]*interest // by subject

	// Of the draining goroutine alone.
	envelope envelope // of the message that was taken last
	lossy    bool     // has been full, and not yet empty again
	reported time.Time
}

func newLane(queue int) *lane {
	return &lane{queue: make(chan *nats.Msg, max(queue, 2)), interests: make(map[string]*interest)}
}

func (l *lane) has(name string) bool { return l.get(name) != nil }

func (l *lane) get(name string) *interest {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.interests[name]
}

func (l *lane) put(name string, in *interest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.interests[name] = in
}

func (l *lane) remove(name string) *interest {
	l.mu.Lock()
	defer l.mu.Unlock()
	in := l.interests[name]
	delete(l.interests, name)
	return in
}

// drain takes messages until the context ends. It calls overflow when messages may have been lost because the queue
// was full: at once, each second while it stays so, and once more when it has been emptied.
func (l *lane) drain(ctx context.Context, overflow func(), take func(*nats.Msg)) {
	for {
		select {
		case m := <-l.queue:
			l.watch(overflow)
			take(m)
		case <-ctx.Done():
			return
		}
	}
}

// watch looks for overflow right after a message was taken. nats.go drops a message when it finds the channel full; as
// this goroutine alone takes from it, a channel that was full has at most one place free now. (nats.go reports slow
// consumers too, but once per subscription until that gets a message again: too seldom to rely on.)
func (l *lane) watch(overflow func()) {
	waiting := len(l.queue)
	switch {
	case waiting >= cap(l.queue)-1:
		if l.lossy && time.Since(l.reported) < overflowEvery {
			return
		}
		l.lossy = true
	case l.lossy && waiting == 0:
		l.lossy = false
	default:
		return
	}
	l.reported = time.Now()
	overflow()
}
