package faults

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
	"time"
)

// Quantiles sum up measured times.
type Quantiles struct {
	N             int
	P50, P99, Max time.Duration
}

// QuantilesOf sorts the times; a quantile is one of them, never less than the true one.
func QuantilesOf(times []time.Duration) Quantiles {
	if len(times) == 0 {
		return Quantiles{}
	}
	slices.Sort(times)
	at := func(q float64) time.Duration { return times[int(math.Ceil(q*float64(len(times))))-1] }
	return Quantiles{N: len(times), P50: at(0.50), P99: at(0.99), Max: times[len(times)-1]}
}

func (q Quantiles) String() string {
	round := func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
	return fmt.Sprintf("p50 %v, p99 %v, max %v of %d", round(q.P50), round(q.P99), round(q.Max), q.N)
}

// Recovery is one loss of a live connection, up to the next live one of the same client.
type Recovery struct {
	Client   int
	User     string
	From, To string // gateways
	Code     int    // of the close; 0: it broke
	Drained  bool   // a DRAIN event had announced it
	Dials    int    // until it was connected again

	Lost time.Duration // when the client noticed
	Live time.Duration // when all its subscriptions were live again; 0: not to the end
	// CaughtUp is when it had, of all its rooms, everything that was acknowledged before Live; 0: not to the end.
	CaughtUp time.Duration
}

// Took is the time from the loss until the client was caught up.
func (r Recovery) Took() time.Duration { return r.CaughtUp - r.Lost }

// Recoveries are all losses that no client wanted, in the order of clients and time.
func (h *History) Recoveries() []Recovery {
	sessions := map[int][]*Session{}
	for _, s := range h.Sessions() {
		sessions[s.Client] = append(sessions[s.Client], s)
	}
	byClient := map[int][]Connection{}
	for _, c := range h.Connections() {
		byClient[c.Client] = append(byClient[c.Client], c)
	}
	heads := h.heads()
	var out []Recovery
	for client := range h.newestClient() {
		for _, r := range recoveries(byClient[client+1]) {
			r.CaughtUp = r.Live
			for _, s := range sessions[client+1] {
				r.CaughtUp = later(r.CaughtUp, s.reached(heads[s.Room].at(r.Live), r.Lost))
			}
			out = append(out, r)
		}
	}
	return out
}

func (h *History) newestClient() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clients
}

// later is the later of two times; zero is never.
func later(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return 0
	}
	return max(a, b)
}

// recoveries finds the losses among the connections of one client.
func recoveries(conns []Connection) []Recovery {
	var out []Recovery
	waiting := false // the last of out is not live again
	for _, c := range conns {
		if waiting {
			r := &out[len(out)-1]
			r.Dials++
			if c.Live > 0 {
				r.To, r.Live, waiting = c.Gateway, c.Live, false
			}
		}
		if c.Live > 0 && c.Ended > 0 && !c.Planned {
			out = append(out, Recovery{
				Client: c.Client, User: c.User, From: c.Gateway, Code: c.Code, Drained: c.Drained, Lost: c.Ended,
			})
			waiting = true
		}
	}
	return out
}

// reached is when the session had an event of this seq or a later one; of a session that was over before the time, or
// needs nothing, it is the time itself.
func (s *Session) reached(seq int64, since time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq <= s.Base || s.left || s.expelled {
		return since
	}
	for i := len(s.deliveries) - 1; i >= 0; i-- {
		if s.deliveries[i].Event.Seq < seq {
			if i+1 < len(s.deliveries) {
				return s.deliveries[i+1].At
			}
			return 0
		}
	}
	if len(s.deliveries) == 0 {
		return 0
	}
	return s.deliveries[0].At
}

// acks are the acknowledgements of a room in the order of time, each with the largest seq up to then.
type acks []ack

type ack struct {
	at  time.Duration
	seq int64
}

func (h *History) heads() map[int64]acks {
	heads := map[int64]acks{}
	for _, s := range h.Sends() {
		if s.Outcome == OK {
			heads[s.Room] = append(heads[s.Room], ack{s.Ended, s.Receipt.Seq})
		}
	}
	for _, a := range heads {
		slices.SortFunc(a, func(a, b ack) int { return cmp.Compare(a.at, b.at) })
		for i := 1; i < len(a); i++ {
			a[i].seq = max(a[i].seq, a[i-1].seq)
		}
	}
	return heads
}

// at is the largest seq that was acknowledged before a time.
func (a acks) at(t time.Duration) int64 {
	i := sort.Search(len(a), func(i int) bool { return a[i].at >= t })
	if i == 0 {
		return 0
	}
	return a[i-1].seq
}

// Completed is how long after a time the last of these messages reached the last session that followed throughout; 0
// means that all had them before. What was never received does not count: Check finds it.
func (h *History) Completed(since time.Duration, which func(*Send) bool) time.Duration {
	wanted := map[key]bool{}
	for _, s := range h.Sends() {
		if which(s) {
			wanted[key{s.Room, s.Sender, s.ClientMessageID}] = true
		}
	}
	last := since
	for _, s := range h.Sessions() {
		for _, d := range s.Deliveries() {
			if d.At > last && wanted[key{d.Event.Room, d.Event.Sender, d.Event.ClientMessageID}] {
				last = d.At
			}
		}
	}
	return last - since
}

// AckedBefore selects messages for Completed.
func AckedBefore(t time.Duration) func(*Send) bool {
	return func(s *Send) bool { return s.Outcome == OK && s.Ended < t }
}

// InvokedBefore selects messages for Completed that were sent before a time, whatever came of them.
func InvokedBefore(t time.Duration) func(*Send) bool {
	return func(s *Send) bool { return s.Invoked < t }
}

// SendTimes sums up the times from the first attempt to the acknowledgement, of messages first sent in a stretch of
// time.
func (h *History) SendTimes(from, to time.Duration) Quantiles {
	var times []time.Duration
	for _, s := range h.Sends() {
		if s.Outcome == OK && from <= s.Invoked && s.Invoked < to {
			times = append(times, s.Ended-s.Invoked)
		}
	}
	return QuantilesOf(times)
}

// DeliveryTimes sums up the times from the first attempt to each delivery, of messages first sent in a stretch of time.
func (h *History) DeliveryTimes(from, to time.Duration) Quantiles {
	began := map[key]time.Duration{}
	for _, s := range h.Sends() {
		if k := (key{s.Room, s.Sender, s.ClientMessageID}); from <= s.Invoked && s.Invoked < to {
			if known, ok := began[k]; !ok || s.Invoked < known {
				began[k] = s.Invoked
			}
		}
	}
	var times []time.Duration
	for _, s := range h.Sessions() {
		for _, d := range s.Deliveries() {
			if at, ok := began[key{d.Event.Room, d.Event.Sender, d.Event.ClientMessageID}]; ok {
				times = append(times, d.At-at)
			}
		}
	}
	return QuantilesOf(times)
}

// LongestWait is the longest time that an attempt to send had neither RECEIPT nor error on a connection that lived.
func (h *History) LongestWait() time.Duration {
	longest := time.Duration(0)
	for _, s := range h.Sends() {
		longest = max(longest, s.LongestWait)
	}
	return longest
}

// LostConnections counts the established connections that ended in a stretch of time without their client's will.
func (h *History) LostConnections(from, to time.Duration) int {
	n := 0
	for _, c := range h.Connections() {
		if c.Connected > 0 && !c.Planned && from <= c.Ended && c.Ended < to && c.Ended > 0 {
			n++
		}
	}
	return n
}
