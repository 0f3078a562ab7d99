package hub_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
)

func room(id int64) event.Log { return event.Log{Room: id} }

// newEvent makes an event of a log, as fan-in and relay do.
func newEvent(log event.Log, seq int64) event.Event {
	id := log.User + strconv.FormatInt(log.Room, 10) + "-" + strconv.FormatInt(seq, 10)
	e := event.New(log.Destination(), event.Message, seq, id, []byte(`{"event":"MESSAGE"}`))
	e.User = "somebody"
	return e
}

func newEvents(log event.Log, from, to int64) []event.Event {
	var events []event.Event
	for seq := from; seq <= to; seq++ {
		events = append(events, newEvent(log, seq))
	}
	return events
}

// newRemoval makes the event with which a user loses access.
func newRemoval(log event.Log, seq int64, user string) event.Event {
	e := newEvent(log, seq)
	e.Kind, e.User, e.Ends = event.Member, user, true
	return e
}

// chance makes the doubles' decisions; safe for concurrent use.
type chance struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func newChance(seed uint64) *chance { return &chance{rng: rand.New(rand.NewPCG(seed, seed))} }

func (c *chance) upTo(d time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(c.rng.Int64N(int64(d) + 1))
}

func (c *chance) percent(p int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(100) < p
}

// wait lets time pass, in a bubble's clock.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errAway = &event.Error{Code: event.Unavailable, Message: "the chat service is away"}

// toldKey is the context key of where to note what Subscribe answers with (*told).
type toldKey struct{}

// told is the head that Subscribe answered with, -1 with a refusal, and what it hid.
type told struct {
	head   int64
	hidden []event.Span
}

// hides says whether a place in the log was not for the subscriber.
func (a *told) hides(seq int64) bool { return hides(a.hidden, seq) }

func hides(hidden []event.Span, seq int64) bool {
	return slices.ContainsFunc(hidden, func(s event.Span) bool { return s.First <= seq && seq <= s.Last })
}

// store doubles the chat service: the truth about logs.
type store struct {
	chance  *chance       // with latency
	latency time.Duration // the longest of one way
	limit   int           // the most events of one answer

	mu       sync.Mutex
	down     bool
	logs     map[event.Log][]event.Event
	banned   map[event.Log]map[string]int64 // at which seq
	hidden   map[event.Log]map[string][]event.Span
	reads    int     // ReadLog calls
	asked    []int64 // the lastSeq of each Subscribe
	heads    []int
	replayed int             // events in answers to Subscribe
	onJoin   func(event.Log) // called when Subscribe has read its answer, before it returns
}

func newStore() *store {
	return &store{
		chance: newChance(1),
		limit:  1000,
		logs:   make(map[event.Log][]event.Event),
		banned: make(map[event.Log]map[string]int64),
		hidden: make(map[event.Log]map[string][]event.Span),
	}
}

// add stores n events and returns them.
func (s *store) add(log event.Log, n int) []event.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := int64(len(s.logs[log]))
	events := newEvents(log, from+1, from+int64(n))
	s.logs[log] = append(s.logs[log], events...)
	return events
}

// ban removes a user and returns the event.
func (s *store) ban(log event.Log, user string) event.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.banned[log] == nil {
		s.banned[log] = make(map[string]int64)
	}
	e := newRemoval(log, int64(len(s.logs[log]))+1, user)
	if s.banned[log][user] == 0 {
		s.banned[log][user] = e.Seq
	}
	s.logs[log] = append(s.logs[log], e)
	return e
}

// edit changes an event and returns the one that says so: from now on the changed one is told in its place.
func (s *store) edit(log event.Log, target int64) event.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.logs[log][target-1]
	now := newEvent(log, target)
	now.Kind, now.User, now.Ends = was.Kind, was.User, was.Ends
	now.MessageID = changedID
	e := newEvent(log, int64(len(s.logs[log]))+1)
	e.Kind, e.MessageID = "EDITED", strconv.FormatInt(target, 10)
	s.logs[log] = append(slices.Clone(s.logs[log]), e)
	s.logs[log][target-1] = now
	return e
}

// changedID is the message id of an event that was edited, in place of its own.
const changedID = "changed"

// allow lets a user in again, who must not see what the log got since the ban.
func (s *store) allow(log event.Log, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	since, head := s.banned[log][user], int64(len(s.logs[log]))
	delete(s.banned[log], user)
	if since == 0 || since == head {
		return
	}
	if s.hidden[log] == nil {
		s.hidden[log] = make(map[string][]event.Span)
	}
	s.hidden[log][user] = append(slices.Clone(s.hidden[log][user]), event.Span{First: since + 1, Last: head})
}

func (s *store) head(log event.Log) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.logs[log]))
}

func (s *store) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// askedFor returns the lastSeq of each Subscribe that was answered.
func (s *store) askedFor() []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *store) readCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// call answers after a while, with what was true half-way.
func (s *store) call(ctx context.Context, answer func() error) error {
	if s.latency > 0 {
		if err := wait(ctx, s.chance.upTo(s.latency)); err != nil {
			return err
		}
	}
	s.mu.Lock()
	var err error = errAway
	if !s.down {
		err = answer()
	}
	s.mu.Unlock()
	if s.latency > 0 {
		if err := wait(ctx, s.chance.upTo(s.latency)); err != nil {
			return err
		}
	}
	return err
}

func (s *store) Subscribe(
	ctx context.Context, user string, log event.Log, lastSeq int64,
) (snapshot event.Snapshot, err error) {
	err = s.call(ctx, func() error {
		answer, asks := ctx.Value(toldKey{}).(*told)
		if asks {
			*answer = told{head: -1} // the last answer counts
		}
		if s.banned[log][user] > 0 {
			return &event.Error{Code: event.Forbidden, Message: "no such chat room, or you are not a member of it"}
		}
		s.asked = append(s.asked, lastSeq)
		all := s.logs[log]
		snapshot.Head = int64(len(all))
		snapshot.Hidden = s.hidden[log][user]
		if asks {
			*answer = told{snapshot.Head, snapshot.Hidden}
		}
		if lastSeq < 0 || lastSeq >= snapshot.Head {
			return nil
		}
		snapshot.Events = all[lastSeq:]
		if over := len(snapshot.Events) - s.limit; over > 0 {
			snapshot.GapFrom, snapshot.GapTo = lastSeq+1, lastSeq+int64(over)
			snapshot.Events = snapshot.Events[over:]
		}
		snapshot.Events = slices.DeleteFunc(slices.Clone(snapshot.Events), func(e event.Event) bool {
			return hides(snapshot.Hidden, e.Seq)
		})
		s.replayed += len(snapshot.Events)
		return nil
	})
	if err == nil && s.onJoin != nil {
		s.onJoin(log)
	}
	return snapshot, err
}

func (s *store) ReadLog(
	ctx context.Context, log event.Log, after, upTo int64,
) (events []event.Event, head int64, err error) {
	err = s.call(ctx, func() error {
		s.reads++
		head = int64(len(s.logs[log]))
		end := head
		if upTo > 0 {
			end = min(end, upTo)
		}
		if after >= end {
			return nil
		}
		events = append(events, s.logs[log][after:min(end, after+int64(s.limit))]...)
		return nil
	})
	return events, head, err
}

func (s *store) ReadHeads(ctx context.Context, logs []event.Log) (heads []int64, err error) {
	err = s.call(ctx, func() error {
		s.heads = append(s.heads, len(logs))
		for _, log := range logs {
			heads = append(heads, int64(len(s.logs[log])))
		}
		return nil
	})
	return heads, err
}
