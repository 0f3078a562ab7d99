package hub_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/hub"
)

// feed doubles the fan-in and NATS behind it.
type feed struct {
	chance              *chance
	loss, double, delay int           // per cent
	latency             time.Duration // the longest of an Add, and of a delayed event

	mu      sync.Mutex
	hub     *hub.Hub
	down    bool
	addErr  error
	live    map[event.Log]bool
	adds    int
	wrong   []string // calls that should not have been
	pending map[event.Log]bool
}

func newFeed() *feed {
	return &feed{chance: newChance(2), live: make(map[event.Log]bool), pending: make(map[event.Log]bool)}
}

func (f *feed) Add(ctx context.Context, log event.Log) error {
	f.mu.Lock()
	if f.live[log] || f.pending[log] {
		f.wrong = append(f.wrong, fmt.Sprintf("interest in %v is added while there is one", log))
	}
	f.adds++
	f.pending[log] = true
	err := f.addErr
	f.mu.Unlock()
	if f.latency > 0 {
		if late := wait(ctx, f.chance.upTo(f.latency)); late != nil {
			err = late
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.pending, log)
	f.live[log] = err == nil
	return err
}

func (f *feed) Remove(log event.Log) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.live[log] {
		f.wrong = append(f.wrong, fmt.Sprintf("interest in %v is removed without one", log))
	}
	if f.latency > 0 {
		f.pending[log] = true
		f.mu.Unlock()
		_ = wait(context.Background(), f.chance.upTo(f.latency))
		f.mu.Lock()
		delete(f.pending, log)
	}
	delete(f.live, log)
}

func (f *feed) interests() (live int, wrong []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, on := range f.live {
		if on {
			live++
		}
	}
	return live, f.wrong
}

// publish sends events the way NATS may: or not at all, twice, later.
func (f *feed) publish(log event.Log, events ...event.Event) {
	f.mu.Lock()
	deaf := f.down || !f.live[log]
	f.mu.Unlock()
	if deaf || f.chance.percent(f.loss) {
		return
	}
	times := 1
	if f.chance.percent(f.double) {
		times = 2
	}
	for range times {
		if f.chance.percent(f.delay) {
			time.AfterFunc(f.chance.upTo(f.latency), func() { f.hub.Deliver(log, events) })
			continue
		}
		f.hub.Deliver(log, events)
	}
}

func (f *feed) setDown(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

// sink records what a subscription gets.
type sink struct {
	session string

	mu     sync.Mutex
	got    []*event.Event
	ended  *event.Error
	closed bool
	late   int // deliveries after the end
}

func newSink(session string) *sink { return &sink{session: session} }

func (s *sink) Session() string { return s.session }

func (s *sink) Deliver(e *event.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil || s.closed {
		s.late++
	}
	s.got = append(s.got, e)
}

func (s *sink) Await(context.Context) {}

func (s *sink) End(cause *event.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil || s.closed {
		s.late++
	}
	s.ended = cause
}

// close says that nothing may come from now on.
func (s *sink) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// seqs returns the seqs of what came; 0 is a state event or a GAP.
func (s *sink) seqs() []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var seqs []int64
	for _, e := range s.got {
		seqs = append(seqs, e.Seq)
	}
	return seqs
}

func (s *sink) state() (ended *event.Error, late int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended, s.late
}
