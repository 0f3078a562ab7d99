package faults

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// facts answer what verdicts ask about a history that is quiet. Times are those of the history.
type facts struct {
	sends    []*Send
	acks     []*Send           // acknowledged, by the time of it
	byRoom   map[int64][]*Send // of acks, by room
	sessions map[int64][]*arrivals
	conns    []Connection
}

// arrivals are when the events of a log came to one session, by seq.
type arrivals struct {
	*Session
	seqs []int64
	at   []time.Duration
}

func newFacts(h *History) *facts {
	f := &facts{
		sends: h.Sends(), conns: h.Connections(),
		byRoom: map[int64][]*Send{}, sessions: map[int64][]*arrivals{},
	}
	for _, s := range f.sends {
		if s.Outcome == OK {
			f.acks = append(f.acks, s)
			f.byRoom[s.Room] = append(f.byRoom[s.Room], s)
		}
	}
	slices.SortFunc(f.acks, func(a, b *Send) int { return cmp.Compare(a.Ended, b.Ended) })
	for _, s := range h.Sessions() {
		f.sessions[s.Room] = append(f.sessions[s.Room], newArrivals(s))
	}
	return f
}

func newArrivals(s *Session) *arrivals {
	all := slices.Clone(s.Deliveries())
	slices.SortStableFunc(all, func(a, b Delivery) int { return cmp.Compare(a.Event.Seq, b.Event.Seq) })
	a := &arrivals{Session: s, seqs: make([]int64, len(all)), at: make([]time.Duration, len(all))}
	for i, d := range all {
		a.seqs[i], a.at[i] = d.Event.Seq, d.At
	}
	return a
}

// of is when an event came. Sessions that did not want it, or ended before, do not count.
func (a *arrivals) of(seq int64) (at time.Duration, counts bool) {
	i, found := slices.BinarySearch(a.seqs, seq)
	if !found {
		return 0, false // the check says whether it is missing
	}
	return a.at[i], true
}

// latest is when an event had come to all of its room's sessions.
func (f *facts) latest(room, seq int64) time.Duration {
	last := time.Duration(0)
	for _, a := range f.sessions[room] {
		if at, ok := a.of(seq); ok {
			last = max(last, at)
		}
	}
	return last
}

// ackedIn are the messages acknowledged in a window.
func (f *facts) ackedIn(w window) []*Send {
	at := func(t time.Duration) int {
		i, _ := slices.BinarySearchFunc(f.acks, t, func(s *Send, t time.Duration) int { return cmp.Compare(s.Ended, t) })
		return i
	}
	return f.acks[at(w.from):at(w.to)]
}

func (f *facts) acked(w window) int { return len(f.ackedIn(w)) }

// lateness is, for each message acknowledged in a window and each session, how long after that it came.
func (f *facts) lateness(w window) []time.Duration {
	var all []time.Duration
	for _, s := range f.ackedIn(w) {
		for _, a := range f.sessions[s.Room] {
			if at, ok := a.of(s.Receipt.Seq); ok && s.Receipt.Seq > a.Base {
				all = append(all, max(0, at-s.Ended))
			}
		}
	}
	return all
}

// completeAfter is how long after a window all that was acknowledged in it had come to everybody.
func (f *facts) completeAfter(w window) time.Duration {
	last := w.to
	for _, s := range f.ackedIn(w) {
		last = max(last, f.latest(s.Room, s.Receipt.Seq))
	}
	return last - w.to
}

// worstOrphan is the longest that one of the messages needed to everybody, since its replica died.
func (f *facts) worstOrphan(orphans []orphan) time.Duration {
	worst := time.Duration(0)
	for _, o := range orphans {
		worst = max(worst, f.latest(o.room, o.seq)-o.at)
	}
	return worst
}

// firstAck is how long after a moment the first acknowledgement came of a message that was sent after it.
func (f *facts) firstAck(after time.Duration) time.Duration {
	for _, s := range f.ackedIn(window{after, math.MaxInt64}) {
		if s.Invoked >= after {
			return s.Ended - after
		}
	}
	return math.MaxInt64
}

// longestAnswer is the longest that a message sent in a window had no answer, acknowledgement or error.
func (f *facts) longestAnswer(w window) time.Duration {
	longest := time.Duration(0)
	for _, s := range f.sends {
		if s.Invoked >= w.from && s.Invoked < w.to {
			longest = max(longest, s.LongestWait)
		}
	}
	return longest
}

// answers are how long the messages sent in a window had to wait for their last answer, on connections that lived.
func (f *facts) answers(w window) []time.Duration {
	var all []time.Duration
	for _, s := range f.sends {
		if s.Invoked >= w.from && s.Invoked < w.to {
			all = append(all, s.LongestWait)
		}
	}
	return all
}

// failed counts the messages of a window that were refused for good or given up.
func (f *facts) failed(w window) int {
	n := 0
	for _, s := range f.sends {
		if s.Invoked >= w.from && s.Invoked < w.to && s.Outcome != OK {
			n++
		}
	}
	return n
}

// endedIn calls back with the connections that stood and ended in a window, against the will of their clients.
func (f *facts) endedIn(w window, yield func(*Connection)) {
	for i := range f.conns {
		if c := &f.conns[i]; c.Connected > 0 && !c.Planned && c.Ended >= w.from && c.Ended < w.to && c.Ended > 0 {
			yield(c)
		}
	}
}

// dropped counts the connections that ended in a window, other than those of one user.
func (f *facts) dropped(w window, except string) int {
	n := 0
	f.endedIn(w, func(c *Connection) {
		if c.User != except {
			n++
		}
	})
	return n
}

// unannounced counts the connections that ended in a window without DRAIN or without a close code.
func (f *facts) unannounced(w window) int {
	n := 0
	f.endedIn(w, func(c *Connection) {
		if !c.Drained || c.Code == 0 {
			n++
		}
	})
	return n
}

// mostReconnects is how often the worst client's connection ended in a window.
func (f *facts) mostReconnects(w window) int {
	count, most := map[int]int{}, 0
	f.endedIn(w, func(c *Connection) {
		count[c.Client]++
		most = max(most, count[c.Client])
	})
	return most
}

// caughtUp is, for each client of a gateway that died, how long it took until it was live again elsewhere and had all
// that was acknowledged until then.
func (f *facts) caughtUp(gateway string, died time.Duration) []time.Duration {
	const notice = 30 * time.Second // a death is noticed by then
	victims := map[int]time.Duration{}
	for i := range f.conns {
		c := &f.conns[i]
		switch {
		case c.Gateway == gateway && c.Live > 0 && c.Live < died && c.Ended >= died && c.Ended < died+notice:
			victims[c.Client] = 0
		case c.Dialled >= died && c.Live > 0:
			if live, ok := victims[c.Client]; ok && live == 0 {
				victims[c.Client] = c.Live
			}
		}
	}
	var took []time.Duration
	for client, live := range victims {
		if live > 0 {
			took = append(took, f.completeFor(client, window{died - notice, live})-died)
		}
	}
	return took
}

// completeFor is when a client had all that was acknowledged in a window; at least its end.
func (f *facts) completeFor(client int, w window) time.Duration {
	done := w.to
	for room, sessions := range f.sessions {
		for _, a := range sessions {
			if a.Client != client {
				continue
			}
			for _, s := range f.byRoom[room] {
				if s.Ended < w.from || s.Ended >= w.to {
					continue
				}
				if at, ok := a.of(s.Receipt.Seq); ok {
					done = max(done, at)
				}
			}
		}
	}
	return done
}

// quantile returns the value below which the given part of all lies; it sorts them.
func quantile(all []time.Duration, part float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[max(0, int(math.Ceil(part*float64(len(all))))-1)]
}

// seconds prints a time as people read it.
func seconds(d time.Duration) string {
	if d == math.MaxInt64 {
		return "never"
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
