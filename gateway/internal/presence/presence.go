package presence

import (
	"crypto/rand"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/fliliy/chat/gateway/internal/metrics"
)

// Bounds that are not for configuration.
const (
	callTimeout = 2 * time.Second // of one script call
	byeTimeout  = 5 * time.Second // of everything Run does after its end was asked
	batch       = 128             // users in one script call, which should keep Redis busy for a millisecond or two
	pulseBeats  = 3               // without one for so many beats, Redis was away for all gateways
)

// Options of a Presence. The zero value is right for production.
type Options struct {
	// Debounce is how long a session still counts after its end, with its status and its rooms, so that nobody sees a
	// client go that comes back at once, here or on another gateway. 3 s if zero; negative: not at all.
	Debounce time.Duration
	// LeaseTTL is how long a gateway may be silent before the others take its users offline; 10 s if zero.
	LeaseTTL time.Duration
	// LeaseEvery is the time between signs of life, and between attempts while Redis is away; LeaseTTL/10 if zero.
	LeaseEvery time.Duration
	// RefreshEvery is the time in which everything this gateway has written is renewed, a part with each sign of
	// life; 14 min if zero. It has to stay under 15 minutes.
	RefreshEvery time.Duration
	// Notify hears of users whose status has changed, over all their devices and gateways: once per change, from the
	// gateway whose write made it. Only when a gateway dies before its next sign of life may another one tell its
	// last changes again, with the same At. The times of one user's changes always rise: who gets them out of order
	// goes by the latest. Notify is called by the worker, one call at a time, never on a session's goroutine. While
	// it blocks, this gateway writes nothing to Redis, not even its sign of life, and after LeaseTTL counts as dead:
	// it has to hand the changes on and return at once. nil: nobody wants to know.
	Notify func(changes []Change)
	// Metrics counts the changes; nil counts for nobody.
	Metrics *metrics.Metrics
	// Logger hears when Redis is lost and when it is back, and of gateways that died; nil logs nowhere.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Debounce == 0 {
		o.Debounce = 3 * time.Second
	}
	if o.LeaseTTL == 0 {
		o.LeaseTTL = 10 * time.Second
	}
	if o.LeaseEvery == 0 {
		o.LeaseEvery = o.LeaseTTL / 10
	}
	if o.RefreshEvery == 0 {
		o.RefreshEvery = leaseLife - time.Minute
	}
	if o.Notify == nil {
		o.Notify = func([]Change) {}
	}
	if o.Metrics == nil {
		o.Metrics = metrics.New(prometheus.NewRegistry())
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Change is a user's new status.
type Change struct {
	User   string
	Status string // online, away, busy or offline
	At     time.Time
}

// Presence is one gateway's knowledge of its sessions, and the worker that keeps Redis in step with it. The methods
// of session.Presence may be called from any goroutine, before, during and after Run; they touch memory only. Those
// of one session have to come in order, Connect first and Disconnect last; a session that is not connected has no
// rooms.
type Presence struct {
	store   *store
	opts    Options
	now     func() time.Time
	flights flights
	wake    chan struct{}         // capacity 1: there is something in dirty
	lost    atomic.Pointer[error] // why Redis is not in step; nil when it is

	mu       sync.Mutex // guards what follows; nobody does I/O or takes another lock under it
	sessions map[string]*session
	users    map[string]*user // users with sessions, and those whose record is still to be withdrawn
	dirty    []*user          // users whose record in Redis may differ, in order, each at most once
	leaving  []departure      // sessions that are over and still count, in order
	closed   bool             // Run is over, or about to be: no session counts any more
	local    *gathered        // for look-ups while Redis is away
}

// session is one session of a user.
type session struct {
	user   *user
	status status
	rooms  []int64 // one entry per Enter without its Leave
}

// user is a user on this gateway.
type user struct {
	id       string
	sessions []*session // also those that are over and still count
	told     told       // when this gateway last wrote her
	queued   bool       // is in dirty
}

// departure is a session that is over, and until when it counts.
type departure struct {
	session *session
	until   time.Time
}

// New makes the presence of this gateway, under a new identity: a gateway that starts again is another one.
func New(rdb redis.UniversalClient, opts Options) *Presence {
	opts = opts.withDefaults()
	p := &Presence{
		store:    newStore(rdb, rand.Text(), opts),
		opts:     opts,
		now:      time.Now,
		wake:     make(chan struct{}, 1),
		sessions: make(map[string]*session),
		users:    make(map[string]*user),
	}
	p.lost.Store(&errNotYet)
	return p
}

// Connect counts a session of the user, with status online. The same session again is ignored.
func (p *Presence) Connect(sessionID, userID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.sessions[sessionID]; known || p.closed {
		return
	}
	u := p.users[userID]
	if u == nil {
		u = &user{id: userID}
		p.users[userID] = u
	}
	s := &session{user: u, status: online}
	p.sessions[sessionID] = s
	u.sessions = append(u.sessions, s)
	p.touch(u)
}

// Disconnect ends a session. Once it does not count any more, it has left all its rooms, and the user goes offline if
// it was her last anywhere.
func (p *Presence) Disconnect(sessionID, userID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.find(sessionID, userID)
	if s == nil {
		return
	}
	delete(p.sessions, sessionID)
	if p.opts.Debounce > 0 {
		p.leaving = append(p.leaving, departure{session: s, until: p.now().Add(p.opts.Debounce)})
		return
	}
	p.remove(s)
}

// Enter counts the session into a room. It may enter more than once, and then has to leave as often.
func (p *Presence) Enter(sessionID, userID string, room int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.find(sessionID, userID)
	if s == nil {
		return
	}
	again := slices.Contains(s.rooms, room)
	s.rooms = append(s.rooms, room)
	if !again {
		p.touch(s.user)
	}
}

// Leave takes back one Enter; without one it is ignored.
func (p *Presence) Leave(sessionID, userID string, room int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.find(sessionID, userID)
	if s == nil {
		return
	}
	i := slices.Index(s.rooms, room)
	if i < 0 {
		return
	}
	s.rooms = slices.Delete(s.rooms, i, i+1)
	if !slices.Contains(s.rooms, room) {
		p.touch(s.user)
	}
}

// SetStatus sets the status of a session: online, away or busy; anything else is ignored. Over all sessions of a user
// busy wins over online, and online over away: "do not disturb" holds everywhere, and who is active on one device is
// not away.
func (p *Presence) SetStatus(sessionID, userID, name string) {
	wanted, ok := parseStatus(name)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.find(sessionID, userID)
	if s == nil || s.status == wanted {
		return
	}
	s.status = wanted
	p.touch(s.user)
}

// Ready returns nil while Redis is in step with this gateway, and otherwise why it is not. It is for the report of
// /readyz only and must not turn it: without presence people still chat, so that a gateway cut off from Redis is
// degraded, and taking all gateways out of service at once because one Redis is away would be the greater fault.
func (p *Presence) Ready() error {
	if err := p.lost.Load(); err != nil {
		return *err
	}
	return nil
}

// find returns a connected session, if it is that user's. Under mu.
func (p *Presence) find(sessionID, userID string) *session {
	s := p.sessions[sessionID]
	if s == nil || s.user.id != userID {
		return nil
	}
	return s
}

// remove makes a session count no more. Under mu.
func (p *Presence) remove(s *session) {
	s.user.sessions = slices.DeleteFunc(s.user.sessions, func(other *session) bool { return other == s })
	p.touch(s.user)
}

// touch puts a user in the waiting line, once, and wakes the worker. Under mu.
func (p *Presence) touch(u *user) {
	if !u.queued {
		u.queued = true
		p.dirty = append(p.dirty, u)
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}
