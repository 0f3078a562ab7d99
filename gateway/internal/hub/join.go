package hub

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/metrics"
)

var errEnded = errors.New("the node is stopping")

// Subscribe checks access and joins a log; it returns when the subscription is live, and where it stands then. With lastSeq >= 0 the sink first
// gets what it missed: a GAP event where that is more than the chat service's cap, then the events, then what came
// meanwhile; lastSeq < 0 is "from now on". The sink may be called before Subscribe returns, and even be ended.
//
// Errors are *event.Error: what the chat service says (FORBIDDEN, UNAVAILABLE), INVALID when the sink is subscribed
// to the log already, UNAVAILABLE otherwise; or the context's error when that has ended. After an error the sink gets
// nothing more, not even an End; events it got before are true ones, in order.
func (h *Hub) Subscribe(
	ctx context.Context, user string, log event.Log, lastSeq int64, sink event.Sink,
) (event.Joined, error) {
	joinCtx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	defer context.AfterFunc(h.life.ctx, func() { leave(errEnded) })()

	t, err := h.acquire(joinCtx, log)
	if err != nil {
		return event.Joined{}, h.refusal(ctx, log, err)
	}
	s := &subscription{user: user, session: sink.Session(), sink: sink, leave: leave}
	if !t.attach(s) {
		h.release(t, h.tuning.Linger)
		return event.Joined{}, &event.Error{Code: event.Invalid, Message: log.Destination() + " is subscribed already by this sink"}
	}
	j := &joiner{hub: h, track: t, sub: s, ctx: joinCtx}
	if err := j.join(lastSeq); err != nil {
		h.drop(t, s)
		return event.Joined{}, h.refusal(ctx, log, err)
	}
	return event.Joined{Seq: j.pos, Members: j.members}, nil
}

// refusal puts an error of a join in the words of the contract.
func (h *Hub) refusal(ctx context.Context, log event.Log, err error) error {
	var known *event.Error
	if errors.As(err, &known) {
		return err
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	why := "try again in a moment"
	switch {
	case errors.Is(err, errEnded):
		why = "this node is stopping, connect again"
	case errors.Is(err, errLeft):
		why = "it was unsubscribed meanwhile"
	default:
		h.logger.Warn("subscription not joined", slog.String("destination", log.Destination()), slog.Any("error", err))
	}
	return &event.Error{
		Code:       event.Unavailable,
		Message:    "cannot join " + log.Destination() + ": " + why,
		RetryAfter: time.Second,
	}
}

// attach adds a joining subscription; false when its sink is there already.
func (t *track) attach(s *subscription) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.roster.find(s.sink) != nil {
		return false
	}
	t.roster.join(s)
	return true
}

// join makes an attached subscription live. The order of the steps is what closes the seam: the track remembers what
// it delivers; with the interest live, everything after the snapshot reaches the track (or leaves a hole that it
// notices); so snapshot and memory meet without gap, and what the memory is too short for is read again. Where the
// memory has all that the client missed, the chat service is asked for access and head only.
func (j *joiner) join(lastSeq int64) error {
	h, t := j.hub, j.track
	if err := h.listen(j.ctx, t); err != nil {
		return err
	}
	if lastSeq < 0 {
		if err := j.ask(-1); err != nil {
			return err
		}
		return j.enter()
	}
	if h.remembers(t, lastSeq) {
		if err := j.ask(-1); err != nil {
			return err
		}
		// A head far beyond means that this node has missed much: what is too much to be replayed says the service.
		if j.head-lastSeq <= int64(h.tuning.Recent) && j.caughtUp() {
			h.metrics.HubReplays.Inc(metrics.ReplayMemory)
			j.pos = min(lastSeq, j.head)
			return j.enter()
		}
	}
	h.metrics.HubReplays.Inc(metrics.ReplayService)
	if err := j.page(func() error { return j.ask(lastSeq) }); err != nil {
		return err
	}
	return j.enter()
}

// caughtUp waits a moment for the track to reach the head at which access was checked: the events on their way may be
// edits and recalls, after which older events must not be replayed from memory. It says whether the track came so far,
// by them or by the repair that is due after a grace.
func (j *joiner) caughtUp() bool {
	grace := j.hub.tuning.HeadsGrace
	j.hub.noteHead(event.Head{Log: j.track.log, Seq: j.head}, grace)
	limit := time.NewTimer(2 * grace)
	defer limit.Stop()
	for {
		there, moved := j.track.reached(j.head)
		if there {
			return true
		}
		select {
		case <-moved:
		case <-limit.C:
			return false
		case <-j.ctx.Done():
			return false
		}
	}
}

// ask has access checked, and hands over what the client missed; lastSeq < 0 is nothing.
func (j *joiner) ask(lastSeq int64) error {
	snapshot, err := j.hub.logs.Subscribe(j.ctx, j.sub.user, j.track.log, lastSeq)
	if err != nil {
		return err
	}
	j.head, j.pos, j.members, j.hidden = snapshot.Head, snapshot.Head, snapshot.Members, snapshot.Hidden
	if lastSeq < 0 || lastSeq >= snapshot.Head {
		return nil
	}
	j.pos = lastSeq
	return j.replay(snapshot)
}

// page gets one answer of the chat service over to the client. There are Tuning.Replays of them at a time on this
// node, and the next one of a subscription waits until the client has taken this one. A client that is slow in that
// gives its place to others after a while.
func (j *joiner) page(handOver func() error) error {
	select {
	case j.hub.replays <- struct{}{}:
	case <-j.ctx.Done():
		return context.Cause(j.ctx)
	}
	err := handOver()
	if err == nil {
		patience, cancel := context.WithTimeout(j.ctx, j.hub.tuning.ReplayTime)
		j.sub.sink.Await(patience)
		cancel()
	}
	<-j.hub.replays
	if err == nil {
		j.sub.sink.Await(j.ctx)
	}
	return err
}

// joiner is a subscription on its way from the snapshot to the live log.
type joiner struct {
	hub   *Hub
	track *track
	sub   *subscription
	ctx   context.Context
	head  int64 // access was checked at this seq
	pos   int64 // the sink has, or does not want, events up to this seq

	members []string     // of a small room, when access was checked
	hidden  []event.Span // of the log up to head, what the user must not see
}

// replay hands over the snapshot.
func (j *joiner) replay(snapshot event.Snapshot) error {
	j.track.mu.Lock()
	defer j.track.mu.Unlock()
	if err := j.stillWanted(); err != nil {
		return err
	}
	if snapshot.GapTo > j.pos {
		gap := newGap(j.track.log, snapshot.GapFrom, snapshot.GapTo)
		j.sub.sink.Deliver(&gap)
		j.pos = snapshot.GapTo
	}
	return j.hand(snapshot.Events)
}

// enter brings the subscription up to the log's position and makes it live there.
func (j *joiner) enter() error {
	for {
		upTo, err := j.tryEnter()
		if err != nil || upTo == 0 {
			return err
		}
		if err := j.page(func() error { return j.read(upTo) }); err != nil {
			return err
		}
	}
}

// tryEnter makes the subscription live, or says up to which seq it must read first because the track does not remember
// so much.
func (j *joiner) tryEnter() (upTo int64, err error) {
	t := j.track
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := j.stillWanted(); err != nil {
		return 0, err
	}
	t.order.noteHead(j.head)
	events, ok := t.order.since(j.pos)
	if t.order.last == unknown || (len(t.roster.live) == 0 && t.order.last < j.head && !ok) {
		// Nobody needs what lies before the snapshot's head.
		j.hub.jump(t, j.head)
		j.hub.advanceHeld(t)
		events, ok = t.order.since(j.pos)
	}
	if j.pos < t.order.last && !ok {
		return max(t.order.last, j.head), nil
	}
	for i := range events {
		if err := j.give(&events[i]); err != nil {
			return 0, err
		}
	}
	if j.skip(); len(j.hidden) > 0 && j.pos < j.hidden[len(j.hidden)-1].Last {
		return j.head, nil // who is live gets everything: what is hidden has to lie behind her
	}
	// Events between the position and the head are on their way, or missing for all: they come like any others.
	j.goLive()
	return 0, nil
}

// goLive ends the join. The track is locked.
func (j *joiner) goLive() {
	t := j.track
	t.roster.enliven(j.sub, j.pos, j.head)
	if t.log.Room > 0 {
		j.hub.follows.add(j.sub.session, t.log.Room)
	}
	// The head may be of events in flight; a hole in the hold is one already.
	grace := j.hub.tuning.HeadsGrace
	if t.order.hold != nil {
		grace = j.hub.tuning.HoleGrace
	}
	j.hub.repairIfBehind(t, grace)
}

// read hands over a stretch that neither snapshot nor track had.
func (j *joiner) read(upTo int64) error {
	if j.skip(); j.pos >= upTo {
		return nil
	}
	events, _, err := j.hub.logs.ReadLog(j.ctx, j.track.log, j.pos, upTo)
	if err != nil {
		return err
	}
	j.track.mu.Lock()
	defer j.track.mu.Unlock()
	if err := j.stillWanted(); err != nil {
		return err
	}
	before := j.pos
	if err := j.hand(events); err != nil {
		return err
	}
	if j.pos == before {
		return errors.New("the log could not be read up to its head")
	}
	return nil
}

// hand gives events in order; what does not follow on is left for a read.
func (j *joiner) hand(events []event.Event) error {
	for i := range events {
		j.skip()
		if e := &events[i]; e.Seq == j.pos+1 {
			if err := j.give(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// skip goes past what is hidden and comes next.
func (j *joiner) skip() {
	for _, span := range j.hidden {
		if span.First <= j.pos+1 && j.pos < span.Last {
			j.pos = span.Last
		}
	}
}

// give delivers the next event, unless it was passed over. One that takes the user's access away ends the join, unless access was checked later.
func (j *joiner) give(e *event.Event) error {
	if j.skip(); e.Seq <= j.pos {
		return nil
	}
	j.sub.sink.Deliver(e)
	j.pos = e.Seq
	if e.Ends && e.User == j.sub.user && e.Seq > j.head {
		return lostAccess(j.track.log)
	}
	return nil
}

// stillWanted is asked under the track's lock before the sink is touched, so that a caller who has ended the context,
// or has unsubscribed, hears no more.
func (j *joiner) stillWanted() error {
	if j.sub.gone {
		return errLeft
	}
	return context.Cause(j.ctx)
}
