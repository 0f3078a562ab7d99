// Package session is one client's STOMP life on a connection, from the first byte to the close. It judges frames: what
// is legal when, in which order outcomes are told, how a session ends. It holds no chat rule, and knows no transport,
// no NATS and no protobuf: everything around it is a port (ports.go). The composition root gives each accepted
// connection to Factory.Serve.
//
// One goroutine per session reads, where the connection can wait without one (Waiter) only while there is something to
// read. What waits in send queues is written by a few that all sessions share (crew), or where the connection does not
// tell when a write has to wait (Yielder), by one of the session's own that exists only while there is something to
// write. All times are kept by one timer, so that an idle session costs little more than its struct.
//
// What the texts of the contract leave open is decided like this:
//   - A frame that was refused gets no RECEIPT. The ERROR event, or the ERROR frame, carries its receipt-id, unless
//     the frame is so broken that its header cannot be read.
//   - The RECEIPT of a SEND within a transaction says that the transaction holds it, no more, and carries no
//     message-id. The RECEIPT of the COMMIT says that all is stored, and lists message-id, seq and duplicate, one
//     element per message, separated by commas.
//   - ACK and NACK are checked against what was delivered: an id that was not is an ERROR. Twice is as good as once,
//     and of a subscription that is over they are ignored. In ack mode auto, 1.0 and 1.1 ignore them; in 1.2 a MESSAGE
//     then has no ack header, so that every id is unknown. A NACK redelivers nothing.
//   - An ACK on a room's topic moves the user's delivered mark to the event's seq; in ack mode client that of an event
//     without a seq counts for the one before it. Its RECEIPT says that the mark is stored. Without one nobody
//     is told when that fails. Within a transaction it takes effect with the COMMIT.
//   - UNSUBSCRIBE of an unknown id is answered as if it were known. The header "transaction" is ignored on frames
//     other than SEND, ACK, NACK, BEGIN, COMMIT and ABORT.
//   - A subscription that lost its room ends with an ERROR event: on /user/queue/errors, or without that, on the
//     subscription itself. The session lives on.
package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fliliy/chat/gateway/internal/destination"
	"github.com/fliliy/chat/gateway/internal/principal"
	"github.com/fliliy/chat/gateway/internal/stomp"
	"github.com/fliliy/chat/gateway/internal/transport"
)

// Factory makes sessions that share limits and dependencies. It is safe for concurrent use.
type Factory struct {
	cfg      Config
	deps     Deps
	register *register
	crews    []*crew
	served   atomic.Uint32 // sessions, so that they are spread over the crews
}

// New makes a Factory.
func New(cfg Config, deps Deps) *Factory {
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	if deps.Destinations == nil {
		deps.Destinations = destination.Contract{}
	}
	return &Factory{cfg: cfg, deps: deps, register: newRegister(), crews: newCrews(cfg.Hold.From, cfg.Gather)}
}

// Serve is Start for those who wait: it returns when all of the session is over.
func (f *Factory) Serve(ctx context.Context, conn Conn, who principal.Principal, door Door) {
	over := make(chan struct{})
	f.Start(ctx, conn, who, door, func() { close(over) })
	<-over
}

// Start runs one session on the connection, and calls over when all of it is over: the connection closed, its
// subscriptions gone, no goroutine left. It returns then, too, or earlier, when the session waits for its client (see
// Waiter). The principal is what the handshake has proved, or nobody when the CONNECT frame is to tell. When ctx ends,
// the session drains: it tells the client with a DRAIN event and goes on, and at a random moment within
// Config.DrainSpread it takes no more frames, tells the outcomes of those it has, and closes with 1012.
// The door is asked about the tokens that the client shows, and when CONNECT has told the user; nil: there are no limits.
func (f *Factory) Start(ctx context.Context, conn Conn, who principal.Principal, door Door, over func()) {
	s := newSession(ctx, f, conn)
	s.reader.door = door
	s.user, s.issued, s.clock.expires = who.User, who.Issued, who.Expires
	s.start()
	stop := context.AfterFunc(ctx, s.drain)
	s.reader.over = func() {
		stop()
		over()
	}
	s.read()
}

// session is one client's life. What several goroutines touch is guarded by mu.
type session struct {
	*Factory
	conn    Conn
	id      string          // unguessable; in CONNECTED, and towards presence and the hub
	base    context.Context // of reading and writing; it does not end
	write   func()          // drainQueue, bound once; nil with a yielder
	yielder Yielder         // the connection; nil where it does not know when a write has to wait
	crew    *crew           // writes for a yielder

	reader readerState

	// Lock order: a lock of the hub, then mu, then what presence has inside. Never call Hub, Relay or Conn under mu.
	mu      sync.Mutex
	changed sync.Cond     // on mu: an outcome was told, the send queue drained, the session is to end, or is over
	version stomp.Version // 0 before CONNECT; written by the reader
	user    string        // the same
	issued  time.Time     // of the token; zero where it did not say; the same
	shared
}

// readerState is touched by the goroutine of Serve only.
type readerState struct {
	decoder      *stomp.Decoder
	state        state
	received     int  // bytes before the end of CONNECT
	enrolled     bool // in the register, under user
	subscribed   int  // subscriptions ever opened: the number of the last one
	transactions []*transaction
	door         Door      // nil: no limits
	allowance    Allowance // nil before CONNECT, and without limits
	waiter       Waiter    // the connection; nil where it cannot wait without a goroutine
	waiting      bool      // for bytes
	brisk        uint8     // bytes that came soon, in a row
	again        func()    // read, bound once
	over         func()
}

// shared is what mu guards besides.
type shared struct {
	out      sendQueue
	window   []*pending // in the order of their frames; the first one is not settled yet
	subs     []*subscription
	markings []*marking // one for each room whose delivered mark is being moved
	clock    clock
	endCall  context.CancelFunc // of what the reader asks others for; nil when it does not
	local    int                // events this session made itself, for their ids
	last     *ending            // decided: the session ends like this once the window is empty
	ending   *ending            // decided: the session ends like this once the send queue is empty
	closers  int                // goroutines now in conn.Close
	closed   bool               // the connection is
}

// ending is how a session ends.
type ending struct {
	code    transport.CloseCode
	reason  string // short: a close frame holds 123 bytes
	frame   []byte // the last frame, or nil
	discard bool   // what waits in the send queue is dropped
}

func newSession(ctx context.Context, f *Factory, conn Conn) *session {
	s := &session{Factory: f, conn: conn, id: rand.Text(), base: context.WithoutCancel(ctx)}
	if s.yielder = yielderOf(conn); s.yielder == nil {
		s.write = s.drainQueue
	}
	s.crew = f.crews[f.served.Add(1)%uint32(len(f.crews))] //nolint:gosec // G115: few
	s.reader.waiter, s.reader.again = waiterOf(conn), s.read
	s.changed.L = &s.mu
	s.reader.decoder = stomp.NewDecoder(stomp.Limits{
		MaxBody: f.cfg.PreAuthBytes, MaxHeaders: f.cfg.Limits.MaxHeaders, MaxHeaderLine: f.cfg.PreAuthBytes,
	})
	return s
}

// consumeSafely is consume, with the blast of a fault of ours confined to this session.
func (s *session) consumeSafely(chunk []byte) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	return s.consume(chunk)
}

// consume handles all frames that end in the chunk. Up to the end of CONNECT no more than the budget of strangers is
// looked at.
func (s *session) consume(chunk []byte) error {
	for len(chunk) > 0 && s.reader.state == stranger {
		budget := s.cfg.PreAuthBytes - s.reader.received
		if budget == 0 {
			return tooLargeBeforeConnect(s.cfg.PreAuthBytes)
		}
		part := chunk[:min(budget, len(chunk))]
		s.reader.received += len(part)
		if err := s.feed(part); err != nil {
			return err
		}
		chunk = chunk[len(part):]
	}
	if len(chunk) == 0 {
		return nil
	}
	return s.feed(chunk)
}

func (s *session) feed(chunk []byte) error {
	s.reader.decoder.Feed(chunk)
	for s.alive() {
		frame, err := s.reader.decoder.Next()
		if err != nil {
			return err
		}
		if frame == nil {
			return nil
		}
		if err := s.handle(frame); err != nil {
			return err
		}
	}
	return nil
}

// lost ends the session of a client that is gone: closed, or cut off.
func (s *session) lost(err error) {
	code := transport.CloseNormal
	var closed *transport.ClosedError
	if !errors.As(err, &closed) {
		code = transport.CloseGoingAway
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finish(&ending{code: code, discard: true})
}

// fail ends the session because of what the client sent, once the outcomes of its earlier frames are told.
func (s *session) fail(err error) {
	failed := s.failureOf(err)
	s.countRefusal(failed.code)
	s.countLimit(failed)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endAfterWindow(s.failing(failed))
}

// drain ends the session because this node is leaving: at a random moment, so that not all clients come back to the
// other nodes at once. Until then it goes on as ever.
func (s *session) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isAlive() {
		return
	}
	if s.version == 0 || s.cfg.DrainSpread <= 0 {
		s.announceDrain(spread(s.cfg.ReconnectSpread))
		s.makeWay()
		return
	}
	after := spread(s.cfg.DrainSpread)
	s.announceDrain(after)
	s.clock.leaveBy = time.Now().Add(after)
	s.rearm()
}

// makeWay ends a session that drains. Call it under mu.
func (s *session) makeWay() {
	s.clock.leaveBy = time.Time{}
	s.endAfterWindow(&ending{code: transport.CloseServiceRestart, reason: "this node is restarting, reconnect"})
}

// endAfterWindow ends the session once the outcomes of the frames it has taken are told, or their time is up. It
// takes no more frames. Call it under mu.
func (s *session) endAfterWindow(e *ending) {
	switch {
	case s.last != nil || s.ending != nil:
	case len(s.window) == 0:
		s.finish(e)
	default:
		s.last = e
		s.clock.outcomesBy = time.Now().Add(s.cfg.Linger)
		s.rearm()
		s.changed.Broadcast()
	}
}

// finish decides how the session ends; the first decision stands. The writer sends what is queued and closes the
// connection, the timer sees to it that this does not take long. Call it under mu.
func (s *session) finish(e *ending) {
	if s.ending != nil {
		return
	}
	if e.discard {
		s.out.discard()
	}
	if e.frame != nil {
		s.put(item{raw: e.frame})
	}
	s.ending = e
	s.startWriter()
	s.clock.closeBy = time.Now().Add(s.cfg.Linger)
	s.rearm()
	if s.endCall != nil {
		s.endCall()
	}
	s.changed.Broadcast()
}

// call makes the context of something that the reader asks others for: it ends when the session is to end. done is
// called when the answer is there.
func (s *session) call() (ctx context.Context, done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, s.endCall = context.WithCancel(s.base)
	if s.ending != nil {
		s.endCall()
	}
	return ctx, s.callDone
}

func (s *session) callDone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endCall()
	s.endCall = nil
}

// isEnding says whether it is decided how the session ends.
func (s *session) isEnding() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ending != nil
}

// alive says whether the session takes frames.
func (s *session) alive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isAlive()
}

func (s *session) isAlive() bool { return s.last == nil && s.ending == nil }

// leave gives back everything the session holds, and returns when nothing of it runs any more.
func (s *session) leave() {
	s.awaitEnding()
	for _, sub := range s.takeSubscriptions() {
		s.deps.Hub.Unsubscribe(sub.log, sub)
	}
	if s.reader.enrolled {
		s.register.remove(s.user, s)
	}
	if s.reader.state != stranger {
		s.deps.Presence.Disconnect(s.id, s.user)
	}
	if s.reader.allowance != nil {
		s.reader.allowance.Leave()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.closed || s.out.writing || s.closers > 0 {
		s.changed.Wait()
	}
	s.clock.stop()
}

// awaitEnding waits while the outcomes of the last frames are being told: they may need a subscription for it.
func (s *session) awaitEnding() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.ending == nil {
		s.changed.Wait()
	}
}

// close closes the connection, from the writer or from the timer; the second one changes nothing. Call it without mu.
func (s *session) close(e *ending) {
	s.mu.Lock()
	s.closers++
	s.mu.Unlock()
	if err := s.conn.Close(e.code, e.reason); err != nil {
		s.deps.Logger.Debug("connection did not close cleanly", "session", s.id, "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closers--
	s.closed = true
	s.changed.Broadcast()
}
