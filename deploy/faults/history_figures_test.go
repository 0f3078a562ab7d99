package faults_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fliliy/chat/deploy/faults"
)

func TestQuantiles(t *testing.T) {
	t.Parallel()
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(100 - i)
	}
	for _, tc := range []struct {
		name  string
		times []time.Duration
		want  faults.Quantiles
	}{
		{"none", nil, faults.Quantiles{}},
		{"one", []time.Duration{7}, faults.Quantiles{N: 1, P50: 7, P99: 7, Max: 7}},
		{"a hundred", hundred, faults.Quantiles{N: 100, P50: 50, P99: 99, Max: 100}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := faults.QuantilesOf(tc.times); got != tc.want {
				t.Errorf("QuantilesOf = %+v, want %+v", got, tc.want)
			}
		})
	}
}

// clocked is a History with a clock that the test sets.
type clocked struct {
	*faults.History
	now time.Duration
}

func newClocked() *clocked {
	c := &clocked{}
	c.History = faults.NewHistoryAt(func() time.Duration { return c.now })
	return c
}

func (c *clocked) at(seconds int) { c.now = time.Duration(seconds) * time.Second }

// send records a message from its first attempt to its acknowledgement.
func (c *clocked) send(seq int64, invoked, acked int) {
	c.at(invoked)
	s := c.Invoke(1, "alice", id(seq))
	c.at(acked)
	s.OK(faults.Receipt{Seq: seq})
}

func id(seq int64) string { return string(rune('a' + seq)) }

func (c *clocked) deliver(s *faults.Session, seq int64, at int) {
	s.Deliver(faults.Delivery{
		At:    time.Duration(at) * time.Second,
		Event: &faults.Event{Room: 1, Seq: seq, Kind: "MESSAGE", Sender: "alice", ClientMessageID: id(seq)},
	})
}

// connection records one that was live from a time to another; end 0 is never.
func (c *clocked) connection(client int, gateway string, live, end int, change func(*faults.Connection)) {
	c.Dial(client, "bob", gateway, func(conn *faults.Connection) {
		conn.Connected, conn.Live = time.Duration(live)*time.Second, time.Duration(live)*time.Second
		conn.Ended = time.Duration(end) * time.Second
		if change != nil {
			change(conn)
		}
	})
}

func TestRecoveries(t *testing.T) {
	t.Parallel()
	const second = time.Second
	h := newClocked()
	bob, other := h.NewClientNumber(), h.NewClientNumber()
	h.connection(bob, "one", 1, 10, nil)
	h.connection(bob, "two", 0, 11, nil) // was never live
	h.connection(bob, "two", 13, 20, func(c *faults.Connection) { c.Code, c.Drained = 1012, true })
	h.connection(bob, "one", 21, 30, func(c *faults.Connection) { c.Planned = true })
	h.connection(other, "one", 1, 10, nil) // and never came back
	s := h.Begin(bob, "bob", 1, 0)
	h.send(1, 2, 3)
	h.send(2, 11, 12) // acknowledged before bob is live again, and delivered after that
	h.send(3, 12, 14) // not acknowledged by then
	h.deliver(s, 1, 3)
	h.deliver(s, 2, 15)
	h.deliver(s, 3, 16)
	want := []faults.Recovery{
		{Client: bob, User: "bob", From: "one", To: "two", Dials: 2, Lost: 10 * second, Live: 13 * second, CaughtUp: 15 * second},
		{
			Client: bob, User: "bob", From: "two", To: "one", Code: 1012, Drained: true, Dials: 1,
			Lost: 20 * second, Live: 21 * second, CaughtUp: 21 * second,
		},
		{Client: other, User: "bob", From: "one", Lost: 10 * second},
	}
	got := h.Recoveries()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Recoveries (-want +got):\n%s", diff)
	}
	if took := got[0].Took(); took != 5*second {
		t.Errorf("the first one took %v, want 5 s", took)
	}
	if diff := cmp.Diff(map[int]int{0: 2, 1012: 1}, h.Closes()); diff != "" {
		t.Errorf("Closes (-want +got):\n%s", diff)
	}
	if n := h.LostConnections(10*second, 20*second); n != 2 {
		t.Errorf("%d connections lost from 10 s to 20 s, want 2", n)
	}
}

func TestCompleted(t *testing.T) {
	t.Parallel()
	h := newClocked()
	s := h.Begin(0, "bob", 1, 0)
	h.send(1, 1, 2)
	h.send(2, 3, 9)
	h.send(3, 6, 7)
	h.deliver(s, 1, 6)
	h.deliver(s, 2, 10)
	h.deliver(s, 3, 12)
	for _, tc := range []struct {
		name  string
		since int
		which func(*faults.Send) bool
		want  int
	}{
		{"acknowledged before", 5, faults.AckedBefore(5 * time.Second), 1},
		{"sent before", 5, faults.InvokedBefore(5 * time.Second), 5},
		{"all there already", 7, faults.AckedBefore(3 * time.Second), 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			want := time.Duration(tc.want) * time.Second
			if got := h.Completed(time.Duration(tc.since)*time.Second, tc.which); got != want {
				t.Errorf("Completed = %v, want %v", got, want)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	const second = time.Second
	h := newClocked()
	s := h.Begin(0, "bob", 1, 0)
	h.send(1, 1, 2)
	h.send(2, 3, 6)
	h.send(3, 9, 10)
	h.deliver(s, 1, 3)
	h.deliver(s, 2, 4)
	h.deliver(s, 3, 20)
	if got, want := h.SendTimes(0, 9*second), (faults.Quantiles{N: 2, P50: second, P99: 3 * second, Max: 3 * second}); got != want {
		t.Errorf("SendTimes = %v, want %v", got, want)
	}
	if got, want := h.DeliveryTimes(0, 9*second), (faults.Quantiles{N: 2, P50: second, P99: 2 * second, Max: 2 * second}); got != want {
		t.Errorf("DeliveryTimes = %v, want %v", got, want)
	}
	if got := h.Acked(); got != 3 {
		t.Errorf("Acked = %d, want 3", got)
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	h := faults.NewHistory()
	body := []byte(`{"event":"MESSAGE","chatRoomId":"42","seq":7,"messageId":"42-7","clientMessageId":"x","senderId":"alice"}`)
	e, err := h.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	want := &faults.Event{Room: 42, Seq: 7, Kind: "MESSAGE", Sender: "alice", MessageID: "42-7", ClientMessageID: "x"}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("Decode (-want +got):\n%s", diff)
	}
	if again, err := h.Decode(body); again != e || err != nil {
		t.Errorf("the same body makes another event (%v)", err)
	}
	for _, bad := range []string{``, `{`, `{"event":"MESSAGE"}`, `{"event":"MESSAGE","chatRoomId":"x"}`} {
		if _, err := h.Decode([]byte(bad)); err == nil {
			t.Errorf("Decode(%q) succeeded", bad)
		}
	}
}
