package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// ClientConfig describes a Client. User, Token, Gateways and History are required.
type ClientConfig struct {
	User  string
	Token func() string // asked for each connection and REST call

	Gateways []string // WebSocket URLs; after a loss another one is tried than the one that was lost
	First    string   // where to go first; any of Gateways if empty
	Rooms    []int64  // followed from the moment of Run
	Seed     uint64   // of everything random in this client
	History  *History

	// RESTBase is where to page through a GAP, as http://host:port; nil is the gateway that it is connected to.
	RESTBase func() string
	HTTP     *http.Client // of REST; nil is http.DefaultClient

	// FromNow follows the rooms from their present heads; without it, from seq 0.
	FromNow bool

	HeartBeat     time.Duration // offered each way; 10 s
	DialTimeout   time.Duration // up to CONNECTED; 5 s
	MinBackOff    time.Duration // the first bound of the full-jitter wait before a dial; 50 ms
	MaxBackOff    time.Duration // the last one; 2 s
	ReceiveBuffer int           // bytes, of the kernel; small for a slow consumer; 0 is the kernel's choice
}

func (c ClientConfig) withDefaults() ClientConfig {
	for _, d := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{
		{&c.HeartBeat, 10 * time.Second},
		{&c.DialTimeout, 5 * time.Second},
		{&c.MinBackOff, 50 * time.Millisecond},
		{&c.MaxBackOff, 2 * time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.fallback
		}
	}
	if c.HTTP == nil {
		c.HTTP = http.DefaultClient
	}
	return c
}

// Client is one user's device: it stays connected to some gateway, follows its rooms and resumes them by last-seq after
// each loss, and sends with receipts. It believes nothing it is told: all that comes is recorded as it comes. Between
// Run's start and end it costs one goroutine. All methods are safe for concurrent use.
type Client struct {
	cfg    ClientConfig
	number int // in the History
	api    *API
	dialer *http.Client // of the handshake

	mu      sync.Mutex
	rand    *rand.Rand
	link    *link         // the connection, once it takes frames; nil without one
	changed chan struct{} // closed when link or a room's progress changes; nil when nobody waits
	rooms   map[int64]*follow
	resumed chan struct{} // not nil: reading is paused until it is closed
	counts  Counts
}

// Counts are a client's totals.
type Counts struct {
	Connects int         // CONNECTED frames
	Closes   map[int]int // ends of connections that the client did not want, by close code; 0: broken without one
	Drains   int         // DRAIN events
	Events   int         // of logs
	States   int         // events without a seq
	Gaps     int         // GAP events
	Errors   map[string]int
}

// NewClient makes a client that is not connected yet.
func NewClient(cfg ClientConfig) *Client {
	cfg = cfg.withDefaults()
	c := &Client{
		cfg:    cfg,
		number: cfg.History.newClient(),
		dialer: handshakeClient(cfg.ReceiveBuffer),
		rand:   rand.New(rand.NewPCG(cfg.Seed, 0)), //nolint:gosec // reproducible, not secret
		rooms:  make(map[int64]*follow, len(cfg.Rooms)),
		counts: Counts{Closes: map[int]int{}, Errors: map[string]int{}},
	}
	c.api = &API{Base: cfg.RESTBase, Token: cfg.Token, HTTP: cfg.HTTP}
	if c.api.Base == nil {
		c.api.Base = c.restBase
	}
	for _, room := range cfg.Rooms {
		c.rooms[room] = &follow{room: room, wanted: true}
	}
	return c
}

// User is whose client it is.
func (c *Client) User() string { return c.cfg.User }

// Run keeps the client connected until ctx ends; then it says DISCONNECT and returns nil. A token or room that is
// refused for good, and a server that breaks the protocol, end it with an error.
func (c *Client) Run(ctx context.Context) error {
	failures := 0
	last := ""
	for {
		gateway := c.pick(last)
		if last == "" && c.cfg.First != "" {
			gateway = c.cfg.First
		}
		l, err := c.dial(ctx, gateway)
		if err == nil {
			failures = 0
			err = c.serve(ctx, l)
		} else {
			failures++
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was told to end
		}
		var fatal *fatalError
		if errors.As(err, &fatal) {
			return fmt.Errorf("client of %s at %s: %w", c.cfg.User, gateway, fatal.cause)
		}
		last = gateway
		if !c.rest(ctx, l, failures) {
			return nil
		}
	}
}

// fatalError ends Run.
type fatalError struct{ cause error }

func (e *fatalError) Error() string { return e.cause.Error() }

// pick chooses a gateway other than the last one, if there is another.
func (c *Client) pick(last string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	others := make([]string, 0, len(c.cfg.Gateways))
	for _, gateway := range c.cfg.Gateways {
		if gateway != last {
			others = append(others, gateway)
		}
	}
	if len(others) == 0 {
		others = c.cfg.Gateways
	}
	return others[c.rand.IntN(len(others))]
}

// rest waits before the next dial: a random time that may grow with each failure (full jitter), and at least as long as
// DRAIN said. It says false when ctx has ended.
func (c *Client) rest(ctx context.Context, lost *link, failures int) bool {
	c.mu.Lock()
	bound := c.cfg.MinBackOff
	for range min(failures, 16) {
		bound = min(2*bound, c.cfg.MaxBackOff)
	}
	wait := time.Duration(c.rand.Int64N(int64(bound)))
	c.mu.Unlock()
	if lost != nil && lost.drained {
		wait = max(wait, time.Until(lost.comeBack))
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// restBase is the REST address of the gateway it is connected to, or else of any.
func (c *Client) restBase() string {
	c.mu.Lock()
	l := c.link
	c.mu.Unlock()
	if l != nil {
		return httpBase(l.record.Gateway)
	}
	return httpBase(c.pick(""))
}

// httpBase makes http://host:port of ws://host:port/path.
func httpBase(ws string) string {
	base := "http" + strings.TrimPrefix(ws, "ws")
	if i := strings.Index(base, "://"); i >= 0 {
		if j := strings.IndexByte(base[i+3:], '/'); j >= 0 {
			return base[:i+3+j]
		}
	}
	return base
}

// Counts are the totals so far.
func (c *Client) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.counts
	out.Closes = make(map[int]int, len(c.counts.Closes))
	for code, n := range c.counts.Closes {
		out.Closes[code] = n
	}
	out.Errors = make(map[string]int, len(c.counts.Errors))
	for code, n := range c.counts.Errors {
		out.Errors[code] = n
	}
	return out
}

// Pause stops reading, as a slow consumer does; what has arrived stays in the kernel. Heart-beats go on.
func (c *Client) Pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.resumed == nil {
		c.resumed = make(chan struct{})
	}
}

// Resume ends Pause.
func (c *Client) Resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.resumed != nil {
		close(c.resumed)
		c.resumed = nil
	}
}

// Cut breaks the present connection without a close frame; Run makes the next one. Without a connection it does
// nothing.
func (c *Client) Cut() {
	c.mu.Lock()
	l := c.link
	c.mu.Unlock()
	if l != nil {
		l.cut("cut by the test")
	}
}

// CaughtUp says whether the client has everything of a room up to seq: all of it came, or it came past it.
func (c *Client) CaughtUp(room, seq int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.rooms[room]
	return f != nil && f.last >= seq
}

// LastSeq is the newest seq of a room that it has received; 0 without one.
func (c *Client) LastSeq(room int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.rooms[room]; f != nil {
		return f.last
	}
	return 0
}

// AwaitSeq waits until CaughtUp.
func (c *Client) AwaitSeq(ctx context.Context, room, seq int64) error {
	err := c.await(ctx, func() bool { f := c.rooms[room]; return f != nil && f.last >= seq })
	if err != nil {
		return fmt.Errorf("%s waits for seq %d of room %d, has %d: %w", c.cfg.User, seq, room, c.LastSeq(room), err)
	}
	return nil
}

// AwaitLive waits until it is connected and all its subscriptions are live.
func (c *Client) AwaitLive(ctx context.Context) error {
	err := c.await(ctx, func() bool { return c.link != nil && c.link.isLive() })
	if err != nil {
		return fmt.Errorf("%s waits for its subscriptions: %w", c.cfg.User, err)
	}
	return nil
}

// AwaitOut waits until the client follows a room no more because a gateway said that its user is no member.
func (c *Client) AwaitOut(ctx context.Context, room int64) error {
	err := c.await(ctx, func() bool { f := c.rooms[room]; return f == nil || !f.wanted })
	if err != nil {
		return fmt.Errorf("%s waits to be put out of room %d: %w", c.cfg.User, room, err)
	}
	return nil
}

// await waits for a condition, which is asked under mu.
func (c *Client) await(ctx context.Context, condition func() bool) error {
	for {
		c.mu.Lock()
		if condition() {
			c.mu.Unlock()
			return nil
		}
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tell wakes those who wait. Call it under mu. Without waiters it costs nothing.
func (c *Client) tell() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}
