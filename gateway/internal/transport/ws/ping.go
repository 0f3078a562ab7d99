package ws

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/fliliy/chat/gateway/internal/transport"
)

const (
	// controlWindow and controlLimit bound the pings and pongs of a client: more than a hundred in ten seconds is an
	// attack, since each costs us system calls.
	controlWindow = 10 * time.Second
	controlLimit  = 100
)

var errNoPong = errors.New("the client does not answer pings")

// liveness is the state of pings. A timer per connection starts a goroutine for as long as a ping is unanswered; in
// between there is none.
type liveness struct {
	timer *time.Timer

	windowEnd time.Time // of counting control frames; used while reading only
	controls  int

	reading atomic.Bool // whether Read is under way, without which no pong can be seen
}

func (c *Conn) startPings() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.life.timer = time.AfterFunc(c.opts.pingEvery, c.ping)
}

// ping sends one ping, waits for its answer and sets the timer for the next; without an answer it cuts the connection,
// unless the answer could not be seen because nobody reads.
func (c *Conn) ping() {
	ctx, cancel := context.WithTimeout(context.Background(), c.opts.pongWait)
	defer cancel()
	if err := c.ws.Ping(ctx); err != nil && (c.life.reading.Load() || c.socket.broken() != nil) {
		c.cut(errNoPong)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil {
		c.life.timer.Reset(c.opts.pingEvery)
	}
}

// onPing says whether to answer a ping of the client. A client that does not read gets none, so that answers do not
// pile up here.
func (c *Conn) onPing(context.Context, []byte) bool {
	return c.countControl() && !c.socket.backedUp()
}

func (c *Conn) onPong(context.Context, []byte) { c.countControl() }

// countControl counts a control frame; too many end the connection. It runs within a read of coder/websocket, which
// would wait for itself if it closed here.
func (c *Conn) countControl() bool {
	now := time.Now()
	if now.After(c.life.windowEnd) {
		c.life.windowEnd = now.Add(controlWindow)
		c.life.controls = 0
	}
	c.life.controls++
	if c.life.controls == controlLimit+1 {
		go func() { _ = c.Close(transport.ClosePolicy, "too many pings") }()
	}
	return c.life.controls <= controlLimit
}
