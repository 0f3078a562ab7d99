package session

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/metrics"
	"github.com/fliliy/chat/gateway/internal/stomp"
	"github.com/fliliy/chat/gateway/internal/transport"
)

// patience is how long a client may be silent that has to send every so often; 0: always. Clients send late when they
// are busy or asleep for a moment: less than two intervals would cut honest ones, and 5 s more is enough, or a third
// interval where that is shorter. A user whose connection is half open should not be shown online for longer.
func patience(every time.Duration) time.Duration {
	return min(3*every, 2*every+lateBeat)
}

// lateBeat is how late a beat may come after the second one that is due.
const lateBeat = 5 * time.Second

// beat is a heart-beat: one end-of-line, in a transport message of its own.
var beat = []byte("\n")

// parseHeartBeat reads the header heart-beat: two numbers of milliseconds. No header is "0,0".
func parseHeartBeat(header stomp.Header) (HeartBeat, bool) {
	text, given := header.Lookup("heart-beat")
	if !given {
		return HeartBeat{}, true
	}
	first, second, ok := strings.Cut(text, ",")
	send, sendOK := parseMilliseconds(first)
	receive, receiveOK := parseMilliseconds(second)
	return HeartBeat{Send: send, Receive: receive}, ok && sendOK && receiveOK
}

func parseMilliseconds(digits string) (time.Duration, bool) {
	if strings.HasPrefix(digits, "+") {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	return time.Duration(n) * time.Millisecond, err == nil
}

// header writes the offer as it stands in CONNECTED.
func (h HeartBeat) header() string {
	return strconv.FormatInt(h.Send.Milliseconds(), 10) + "," + strconv.FormatInt(h.Receive.Milliseconds(), 10)
}

// interval is the time between beats of one side towards the other: never, unless both want them.
func interval(send, receive time.Duration) time.Duration {
	if send == 0 || receive == 0 {
		return 0
	}
	return max(send, receive)
}

// clock holds the times of a session. One timer serves them all: it is armed for the earliest, and looks what is due
// when it fires. Times that only move away, as all of a busy session do, cost nothing until then.
type clock struct {
	timer    *time.Timer
	armedFor time.Time // zero: not armed

	connectBy  time.Time // zero, like all of these, where it does not apply
	expires    time.Time // the user's token
	outcomesBy time.Time // then the session ends although some are outstanding
	answeredBy time.Time // what the reader waits for
	writtenBy  time.Time // the write that is under way
	leaveBy    time.Time // then the session makes way, as its node is leaving
	closeBy    time.Time // then the connection is closed although something is queued

	beatEvery  time.Duration // without output; 0: never
	lastOut    time.Time
	silenceMax time.Duration // of the client; 0: any
	lastIn     time.Time
	reading    bool // false: the reader is busy, so silence is not the client's fault
}

// start starts the clock of a session.
func (s *session) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock.connectBy = time.Now().Add(s.cfg.ConnectTimeout)
	s.clock.timer = time.AfterFunc(s.cfg.ConnectTimeout, s.tick)
	s.clock.armedFor = s.clock.connectBy
	s.rearm()
}

// next is the earliest time at which something may be due; zero for never.
func (c *clock) next(ending bool) time.Time {
	if ending {
		return c.closeBy
	}
	times := [...]time.Time{c.connectBy, c.expires, c.outcomesBy, c.answeredBy, c.writtenBy, c.leaveBy, {}, {}}
	if c.beatEvery > 0 {
		times[6] = c.lastOut.Add(c.beatEvery)
	}
	if c.silenceMax > 0 {
		times[7] = c.lastIn.Add(c.silenceMax)
	}
	var earliest time.Time
	for _, t := range times {
		if !t.IsZero() && (earliest.IsZero() || t.Before(earliest)) {
			earliest = t
		}
	}
	return earliest
}

// rearm makes sure that the timer fires at the earliest time, or before. Call it under mu.
func (s *session) rearm() {
	c := &s.clock
	next := c.next(s.ending != nil)
	if s.closed || next.IsZero() || !c.armedFor.IsZero() && !next.Before(c.armedFor) {
		return
	}
	c.armedFor = next
	c.timer.Reset(max(0, time.Until(next)))
}

func (c *clock) stop() { c.timer.Stop() }

// tick does what is due.
func (s *session) tick() {
	if late := s.due(time.Now()); late != nil {
		s.close(late)
	}
}

// due does what is due under mu, and returns how to close a connection that is late in closing.
func (s *session) due(now time.Time) *ending {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.clock
	c.armedFor = time.Time{}
	if s.closed {
		return nil
	}
	if s.ending != nil {
		if passed(c.closeBy, now) {
			s.out.dead = true
			c.closeBy = time.Time{}
			return s.ending
		}
		s.rearm()
		return nil
	}
	s.endIfDue(now)
	if s.ending == nil {
		s.beatIfDue(now)
		s.rearm()
	}
	return nil
}

// endIfDue ends the session if one of its times is up. Call it under mu.
func (s *session) endIfDue(now time.Time) {
	c := &s.clock
	switch {
	case passed(c.writtenBy, now):
		s.tooSlow("this client took no bytes for too long")
	case passed(c.outcomesBy, now):
		s.finish(s.last)
	case passed(c.answeredBy, now):
		s.timeUp(refusal(&event.Error{
			Code: event.Unavailable, Message: "the chat service does not answer; connect again and repeat what got no answer",
		}, ""))
	case passed(c.expires, now):
		s.timeUp(&failure{
			code: event.TokenExpired, close: transport.ClosePolicy, message: string(event.TokenExpired),
			detail: "the token has expired; connect with a new one, or send it to /app/user/token in time",
		})
	case passed(c.leaveBy, now):
		s.makeWay()
	case passed(c.connectBy, now):
		s.timeUp(&failure{
			code: event.Unauthenticated, close: transport.ClosePolicy, message: "no CONNECT",
			limit:  metrics.LimitPreAuthTime,
			detail: "a CONNECT frame has to be complete within " + s.cfg.ConnectTimeout.String(),
		})
	case c.silenceMax > 0 && passed(c.lastIn.Add(c.silenceMax), now):
		if !c.reading {
			c.lastIn = now
			return
		}
		s.timeUp(&failure{
			code: event.Invalid, close: transport.CloseProtocol, message: "heart-beat",
			detail: "nothing was heard from this client for " + c.silenceMax.String(),
		})
	}
}

func (s *session) timeUp(f *failure) {
	s.countRefusal(f.code)
	s.countLimit(f)
	s.finish(s.failing(f))
}

// beatIfDue sends a heart-beat when nothing else was sent for long enough. Call it under mu.
func (s *session) beatIfDue(now time.Time) {
	c := &s.clock
	if c.beatEvery == 0 || !passed(c.lastOut.Add(c.beatEvery), now) {
		return
	}
	if !s.out.writing {
		s.put(item{raw: beat})
		s.startWriter()
	}
	c.lastOut = now
}

// passed says whether a time that applies has come.
func passed(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }

// spread is a random time from 0 up to the limit: clients that all must come back should not do so at once.
func spread(limit time.Duration) time.Duration {
	if limit <= 0 {
		return 0
	}
	return rand.N(limit) //nolint:gosec // no secret: it spreads load
}
