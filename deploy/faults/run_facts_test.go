package faults

import (
	"slices"
	"testing"
	"time"
)

const sec = time.Second

// quietHistory is made by hand: two members of room 1 at two gateways; gateway a dies at 10 s.
func quietHistory(t *testing.T) *History {
	t.Helper()
	h := NewHistory()
	ack := func(seq int64, invoked, ended, wait time.Duration, outcome Outcome) {
		h.sends = append(h.sends, &Send{
			Room: 1, Invoked: invoked, Ended: ended, Outcome: outcome, Receipt: Receipt{Seq: seq}, LongestWait: wait,
		})
	}
	ack(1, 1*sec, 2*sec, sec, OK)
	ack(2, 9*sec, 11*sec, 2*sec, OK) // acknowledged before bob is back
	ack(3, 11*sec, 20*sec, 3*sec, OK)
	ack(0, 11*sec, 12*sec, 4*sec, Failed)
	alice, bob := h.Begin(1, "alice", 1, 0), h.Begin(2, "bob", 1, 0)
	deliver := func(s *Session, seq int64, at time.Duration) {
		s.Deliver(Delivery{Event: &Event{Room: 1, Seq: seq}, At: at})
	}
	deliver(alice, 1, 2*sec)
	deliver(alice, 2, 12*sec)
	deliver(alice, 3, 19*sec)
	deliver(bob, 1, 3*sec)
	deliver(bob, 2, 15*sec)
	deliver(bob, 3, 21*sec)
	h.conns = []*Connection{
		{Client: 1, User: "alice", Gateway: "b", Dialled: 0, Connected: sec, Live: sec},
		{Client: 2, User: "bob", Gateway: "a", Dialled: 0, Connected: sec, Live: sec, Ended: 10 * sec},
		{Client: 2, User: "bob", Gateway: "b", Dialled: 10 * sec, Connected: 11 * sec, Ended: 11 * sec, Drained: true, Code: 1012},
		{Client: 2, User: "bob", Gateway: "b", Dialled: 11 * sec, Connected: 12 * sec, Live: 14 * sec, Ended: 30 * sec, Planned: true},
		{Client: 3, User: "eve", Gateway: "a", Dialled: 10 * sec, Ended: 10 * sec}, // was never connected
	}
	return h
}

func TestFacts(t *testing.T) {
	t.Parallel()
	f := newFacts(quietHistory(t))
	all := window{0, time.Minute}
	for _, tc := range []struct {
		name      string
		got, want any
	}{
		{"acked", f.acked(all), 3},
		{"acked in a window", f.acked(window{2 * sec, 11 * sec}), 1},
		{"worst lateness", quantile(f.lateness(all), 1), 4 * sec},
		{"no lateness before the acknowledgement", quantile(f.lateness(window{20 * sec, 21 * sec}), 0), time.Duration(0)},
		{"complete after", f.completeAfter(window{0, 12 * sec}), 3 * sec},
		{"complete before the end", f.completeAfter(window{0, 8 * sec}), time.Duration(0)},
		{"orphan", f.worstOrphan([]orphan{{1, 2, 10 * sec}, {1, 3, 20 * sec}}), 5 * sec},
		{"first acknowledgement", f.firstAck(10 * sec), 10 * sec},
		{"longest answer", f.longestAnswer(all), 4 * sec},
		{"longest answer in a window", f.longestAnswer(window{0, 10 * sec}), 2 * sec},
		{"failed", f.failed(all), 1},
		{"dropped", f.dropped(all, ""), 2},
		{"dropped of others", f.dropped(all, "bob"), 0},
		{"unannounced", f.unannounced(all), 1},
		{"reconnects", f.mostReconnects(all), 2},
		{"caught up", f.caughtUp("a", 10*sec)[0], 5 * sec},
		{"victims", len(f.caughtUp("a", 10*sec)), 1},
		{"victims of a gateway that lives", len(f.caughtUp("b", 10*sec)), 0},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, tc.got, tc.want)
		}
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	all := []time.Duration{4, 1, 3, 2}
	for part, want := range map[float64]time.Duration{0: 1, 0.25: 1, 0.5: 2, 0.99: 4, 1: 4} {
		if got := quantile(slices.Clone(all), part); got != want {
			t.Errorf("quantile %v = %v, want %v", part, got, want)
		}
	}
	if got := quantile(nil, 0.99); got != 0 {
		t.Errorf("quantile of nothing = %v", got)
	}
}
