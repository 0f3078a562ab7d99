package ws

import (
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/fliliy/chat/gateway/internal/metrics"
	"github.com/fliliy/chat/gateway/internal/transport"
)

// What a client may send in a window of time that costs us more than it brings.
const (
	abuseWindow = 10 * time.Second
	// controlLimit is of pings and pongs: each costs us system calls.
	controlLimit = 100
	// leanLimit is of frames of messages with fewer than leanSize bytes: empty ones, fragments of a byte or two. No frame
	// of STOMP is that short, but heart-beats are. Larger frames are bounded by what messages may have.
	leanLimit = 1000
	leanSize  = 16
)

// What ends a flood; they are never changed.
var (
	tooManyPings  = &transport.ClosedError{Code: transport.ClosePolicy, Reason: "too many pings"}
	tooManyFrames = &transport.ClosedError{Code: transport.ClosePolicy, Reason: "too many frames with hardly anything in them"}
)

// Flooded says whether the connection was ended for a flood of frames, which no honest client sends.
func (c *Conn) Flooded() bool {
	cause := c.ended()
	return errors.Is(cause, tooManyPings) || errors.Is(cause, tooManyFrames)
}

var errNoPong = errors.New("the client does not answer pings")

// liveness is the state of pings: a timer per connection, and a goroutine only while it fires. Whatever the client sends
// is a sign of life.
type liveness struct {
	timer *time.Timer // guarded by the connection's mu

	// Of the timer's goroutine alone.
	pings    uint64
	sent     time.Time // of the last ping
	awaiting bool      // nothing had come since, when last looked at
	heard    bool      // somebody was reading when it was sent

	windowEnd time.Time // of counting; used while reading only
	controls  int
	lean      int

	reading atomic.Bool // whether somebody reads, or waits to be called: without, no pong can be seen
	seen    atomic.Bool // something has come since the last ping
}

func (c *Conn) startPings() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.life.timer = time.AfterFunc(c.opts.pingEvery, c.ping)
}

// ping does what is due, and sets the timer for the next time.
func (c *Conn) ping() {
	next, err := c.keepAlive(time.Now())
	if err != nil {
		c.cut(err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil {
		c.life.timer.Reset(next)
	}
}

// keepAlive sends a ping when it is time for one, and says when to look again. An error means that the last one got no
// answer, although somebody would have seen it.
func (c *Conn) keepAlive(now time.Time) (next time.Duration, err error) {
	l := &c.life
	if l.awaiting && !l.seen.Load() {
		if left := c.opts.pongWait - now.Sub(l.sent); left > 0 {
			return min(left, c.opts.pingEvery), nil
		}
		if l.heard && l.reading.Load() {
			return 0, errNoPong
		}
	}
	l.awaiting = false
	if left := c.opts.pingEvery - now.Sub(l.sent); left > 0 {
		return left, nil
	}
	l.awaiting, l.sent, l.heard = true, now, l.reading.Load()
	l.seen.Store(false)
	l.pings++
	var payload [20]byte
	_ = c.socket.control(opPing, strconv.AppendUint(payload[:0], l.pings, 10)) // who reads or writes learns what is wrong
	return min(c.opts.pingEvery, c.opts.pongWait), nil
}

// takePing answers a ping of the client. A client that does not read gets none, so that answers do not pile up here.
func (c *Conn) takePing(payload []byte) error {
	if err := c.countControl(); err != nil {
		return err
	}
	if !c.socket.backedUp() {
		_ = c.socket.control(opPong, payload) // the next read tells what is wrong
	}
	return nil
}

// countControl counts a control frame; too many end the connection.
func (c *Conn) countControl() error {
	c.life.renewWindow()
	c.life.controls++
	if c.life.controls > controlLimit {
		c.opts.limited(metrics.LimitPings)
		return c.refuse(tooManyPings)
	}
	return nil
}

// countLean counts a frame that brings hardly anything; too many end the connection.
func (c *Conn) countLean() error {
	c.life.renewWindow()
	c.life.lean++
	if c.life.lean > leanLimit {
		c.opts.limited(metrics.LimitFrames)
		return c.refuse(tooManyFrames)
	}
	return nil
}

func (l *liveness) renewWindow() {
	if now := time.Now(); now.After(l.windowEnd) {
		l.windowEnd, l.controls, l.lean = now.Add(abuseWindow), 0, 0
	}
}
