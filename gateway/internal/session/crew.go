package session

import (
	"runtime"
	"sync"
	"time"
)

// idleFor is how long a member of the crew waits for more to write before it goes home.
const idleFor = time.Second

// crewSize is how many of a crew write at the same time; on larger machines there are several crews, so that they do not
// all meet at one lock.
const crewSize = 4

// crew are goroutines that write for many sessions whose connections know when a write has to wait: as many as write at
// the same time, and one more for each that waits for its client. A goroutine for each session that has something to
// write would cost more than composing what it writes: its stack grows anew each time.
type crew struct {
	limit int
	late  time.Duration // a crew whose next session has waited for so long is behind
	pause time.Duration // before sessions are written that would rather wait a moment
	wake  chan struct{} // holds one for each member that is called back from idleness

	mu     sync.Mutex // taken last
	queue  []errand   // from head on
	head   int
	active int // members that write, and do not wait for a client
	idle   int
	calm   chan struct{} // closed when the crew is not behind any more; nil while nobody waits for that
	soon   []*session    // to be written when the pause is over
	timer  *time.Timer   // of the pause; nil until there was one
}

// errand is a session with something to write.
type errand struct {
	session *session
	since   time.Time
}

// newCrews makes crews for all processors.
func newCrews(late, pause time.Duration) []*crew {
	processors := runtime.GOMAXPROCS(0)
	crews := make([]*crew, (processors+crewSize-1)/crewSize)
	for i := range crews {
		limit := min(crewSize, processors)
		crews[i] = &crew{limit: limit, late: late, pause: pause, wake: make(chan struct{}, limit)}
	}
	return crews
}

// write has somebody write what waits in a session. It never blocks.
func (c *crew) write(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, errand{s, time.Now()})
	c.callMember()
}

// writeSoon has somebody write in a moment what waits in a session then. It never blocks.
func (c *crew) writeSoon(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.soon = append(c.soon, s)
	switch {
	case len(c.soon) > 1: // the pause is on
	case c.timer == nil:
		c.timer = time.AfterFunc(c.pause, c.endPause)
	default:
		c.timer.Reset(c.pause)
	}
}

// endPause has those written that are still waiting for it.
func (c *crew) endPause() {
	c.mu.Lock()
	waited := c.soon
	c.soon = nil
	c.mu.Unlock()
	for _, s := range waited {
		s.writeNow()
	}
}

// callMember sees to it that what is queued is written. Call it under mu.
func (c *crew) callMember() {
	if c.head == len(c.queue) || c.active == c.limit {
		return
	}
	c.active++
	if c.idle > 0 {
		c.idle--
		c.wake <- struct{}{}
		return
	}
	go newMember(c).work()
}

// next returns the session whose turn it is; nil when there is none: then the caller is idle.
func (c *crew) next() *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.head == len(c.queue) {
		c.active--
		c.idle++
		return nil
	}
	s := c.queue[c.head].session
	c.queue[c.head] = errand{}
	c.head++
	switch {
	case c.head == len(c.queue):
		c.queue, c.head = c.queue[:0], 0
		if cap(c.queue) > keptItems {
			c.queue = nil
		}
	case c.head >= keptItems:
		c.queue = append(c.queue[:0:0], c.queue[c.head:]...)
		c.head = 0
	}
	if c.calm != nil && !c.isBehind() {
		close(c.calm)
		c.calm = nil
	}
	return s
}

// isBehind says whether what waits has waited for long. Call it under mu.
func (c *crew) isBehind() bool {
	return c.late > 0 && c.head < len(c.queue) && time.Since(c.queue[c.head].since) >= c.late
}

// behind returns nil, or while the crew is behind a channel that is closed when it is not any more.
func (c *crew) behind() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.isBehind() {
		return nil
	}
	if c.calm == nil {
		c.calm = make(chan struct{})
	}
	return c.calm
}

// stay says whether an idle member is still wanted; false sends it home.
func (c *crew) stay() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle == 0 { // somebody is calling
		return true
	}
	c.idle--
	return false
}

// member is one of the crew.
type member struct {
	crew    *crew
	session *session // for which it writes now
	waits   func()   // yield, bound once
	yielded bool     // it waits for the client, and does not count as active
}

func newMember(c *crew) *member {
	m := &member{crew: c}
	m.waits = m.yield
	return m
}

// work writes until there is nothing more for a while, or others do it.
func (m *member) work() {
	b := batches.Get().(*batch)
	defer func() { b.release() }()
	for {
		m.session = m.crew.next()
		if m.session == nil {
			if !m.rest() {
				return
			}
			continue
		}
		if m.session.drainSome(b, m) {
			m.crew.write(m.session)
		}
		if m.yielded && !m.rejoin() {
			return
		}
	}
}

// rest waits until it is called; false: nobody called for long.
func (m *member) rest() bool {
	patience := time.NewTimer(idleFor)
	defer patience.Stop()
	for {
		select {
		case <-m.crew.wake:
			return true
		case <-patience.C:
			if !m.crew.stay() {
				return false
			}
			patience.Reset(idleFor)
		}
	}
}

// yield lets others write: this one has to wait for its client.
func (m *member) yield() {
	if m.yielded {
		return
	}
	m.yielded = true
	m.session.noteWait()
	m.crew.mu.Lock()
	defer m.crew.mu.Unlock()
	m.crew.active--
	m.crew.callMember()
}

// rejoin counts as active again, unless there are enough others.
func (m *member) rejoin() bool {
	m.crew.mu.Lock()
	defer m.crew.mu.Unlock()
	if m.crew.active == m.crew.limit {
		return false
	}
	m.crew.active++
	m.yielded = false
	return true
}
