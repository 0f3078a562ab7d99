package swarm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/fliliy/chat/deploy/loadgen/broker"
	"github.com/fliliy/chat/deploy/loadgen/scenario"
	"github.com/fliliy/chat/deploy/loadgen/swarm"
)

const patience = 30 * time.Second

// rig is a worker that is told and asked by a test.
type rig struct {
	orders *json.Encoder
	notes  chan swarm.Note
}

func target() scenario.Target {
	return scenario.Target{
		Name: "broker", Path: "/ws", Login: map[string]string{"login": "{user}"}, Rooms: scenario.RoomsNumbered,
		Topic: "/topic/{room}", Send: "/topic/{room}", Body: `{"content":"{payload}","id":"{id}"}`, Resume: "last-seq",
	}
}

// newPlan is a plan for a whole scenario.
func newPlan(t testing.TB, b *broker.Broker, text string) *swarm.Plan {
	t.Helper()
	s, err := scenario.Parse("test", []byte("name: test\nduration: 1s\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	plan := &swarm.Plan{Scenario: s, Target: target(), Servers: []netip.AddrPort{b.Addr()}, Run: "u", Count: s.Connections}
	for room := range scenario.NewLayout(&s).Members {
		plan.Rooms = append(plan.Rooms, int64(room+1))
	}
	return plan
}

func start(t *testing.T, plan *swarm.Plan) *rig {
	t.Helper()
	ordersIn, orders := io.Pipe()
	notes, notesOut := io.Pipe()
	r := &rig{orders: json.NewEncoder(orders), notes: make(chan swarm.Note, 1000)}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- swarm.Serve(ctx, ordersIn, notesOut)
		_ = notesOut.Close()
	}()
	go func() {
		defer close(r.notes)
		lines := json.NewDecoder(notes)
		for {
			var n swarm.Note
			if lines.Decode(&n) != nil {
				return
			}
			r.notes <- n
		}
	}()
	t.Cleanup(func() {
		_ = orders.Close()
		select {
		case err := <-served:
			if err != nil {
				t.Errorf("the worker ended with %v", err)
			}
		case <-time.After(patience):
			t.Error("the worker does not end when its orders do")
		}
		cancel()
	})
	r.order(t, swarm.Order{Plan: plan})
	return r
}

func (r *rig) order(t *testing.T, order swarm.Order) {
	t.Helper()
	if err := r.orders.Encode(order); err != nil {
		t.Fatal(err)
	}
}

// await reads notes until one is wanted.
func (r *rig) await(t *testing.T, what string, wanted func(swarm.Note) bool) swarm.Note {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case n, open := <-r.notes:
			if !open || n.Failed != "" {
				t.Fatalf("the worker failed (%q) while waiting for %s", n.Failed, what)
			}
			if wanted(n) {
				return n
			}
		case <-limit:
			t.Fatalf("no %s after %v", what, patience)
		}
	}
}

func (r *rig) live(t *testing.T) *swarm.Result {
	t.Helper()
	return r.await(t, "life", func(n swarm.Note) bool { return n.Live != nil }).Live
}

// load runs until there were so many deliveries, and accounts for them. What is missing after settle is lost.
func (r *rig) load(t *testing.T, deliveries int64, settle time.Duration) *swarm.Result {
	t.Helper()
	r.order(t, swarm.Order{Do: swarm.Measure})
	r.order(t, swarm.Order{Do: swarm.Go})
	sum := int64(0)
	r.await(t, "deliveries", func(n swarm.Note) bool {
		if n.Tick != nil {
			sum += n.Tick.Counts.Deliveries
		}
		return sum >= deliveries
	})
	return r.account(t, settle)
}

func (r *rig) account(t *testing.T, settle time.Duration) *swarm.Result {
	t.Helper()
	r.order(t, swarm.Order{Do: swarm.Stop})
	sent := r.await(t, "end of the load", func(n swarm.Note) bool { return n.Sent != nil }).Sent
	r.order(t, swarm.Order{Do: swarm.Settle, Expect: sent.Rooms, Timeout: settle})
	return r.await(t, "account", func(n swarm.Note) bool { return n.Result != nil }).Result
}

// What is lost, doubled or reordered on the way to one subscriber is counted as that, and nothing else is.
func TestFaultsAreCounted(t *testing.T) {
	t.Parallel()
	var held []byte
	tests := []struct {
		name    string
		deliver broker.Deliver
		want    swarm.Faults
	}{
		{"none", nil, swarm.Faults{}},
		{"lost", func(user string, n int, message []byte) [][]byte {
			if user == "u-3" && n == 5 {
				return nil
			}
			return [][]byte{message}
		}, swarm.Faults{Lost: 1}},
		{"the first lost", func(user string, n int, message []byte) [][]byte {
			if user == "u-0" && n <= 2 {
				return nil
			}
			return [][]byte{message}
		}, swarm.Faults{Lost: 2}},
		{"all lost that follow", func(user string, n int, message []byte) [][]byte {
			if user == "u-1" && n > 7 {
				return nil
			}
			return [][]byte{message}
		}, swarm.Faults{Lost: -1}}, // any number
		{"doubled", func(user string, n int, message []byte) [][]byte {
			if user == "u-2" && n%10 == 0 && n <= 30 {
				return [][]byte{message, message}
			}
			return [][]byte{message}
		}, swarm.Faults{Doubled: 3}},
		{"reordered", func(user string, n int, message []byte) [][]byte {
			switch {
			case user == "u-2" && n == 6:
				held = message
				return nil
			case user == "u-2" && n == 12: // others of the room's two senders come between
				return [][]byte{message, held}
			}
			return [][]byte{message}
		}, swarm.Faults{Reordered: 1}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := broker.New(t, tc.deliver)
			r := start(t, newPlan(t, b, "connections: 4\nrooms: {size: 2}\nload: {rate: 200}"))
			if lives := r.live(t); lives.Counts.Connects != 4 {
				t.Errorf("%d connections are live, want 4", lives.Counts.Connects)
			}
			settle := patience
			if tc.want.Lost != 0 {
				settle = 3 * time.Second
			}
			got := r.load(t, 100, settle).Faults
			if tc.want.Lost < 0 && got.Lost > 0 {
				got.Lost = tc.want.Lost
			}
			if got != tc.want {
				t.Errorf("faults %+v, want %+v", got, tc.want)
			}
		})
	}
}

// A copy of a room's message on a queue of the user's own is no second delivery of the room's.
func TestCopiesOnQueuesAreNoDoubles(t *testing.T) {
	t.Parallel()
	b := broker.New(t, func(_ string, _ int, message []byte) [][]byte {
		return [][]byte{bytes.Replace(message, []byte("subscription:0"), []byte("subscription:q0"), 1), message}
	})
	plan := newPlan(t, b, "connections: 4\nqueues: true\nrooms: {size: 2}\nload: {rate: 200}")
	plan.Target.Queues = []string{"/queue/own"}
	r := start(t, plan)
	r.live(t)
	got := r.load(t, 100, patience)
	if got.Faults != (swarm.Faults{}) || got.Counts.Others == 0 {
		t.Errorf("faults %+v, %d other events; want none, and every copy among the others", got.Faults, got.Counts.Others)
	}
}

// A SUBSCRIBE that is refused on the errors queue gets no RECEIPT: the client comes again.
func TestRefusedSubscribesComeAgain(t *testing.T) {
	t.Parallel()
	b := broker.New(t, nil)
	b.RefuseSubscribes(3)
	plan := newPlan(t, b, "connections: 4\nqueues: true\nrooms: {size: 2}\nload: {rate: 200}")
	plan.Target.Queues, plan.Target.Errors = []string{"/queue/errors"}, "/queue/errors"
	r := start(t, plan)
	if lives := r.live(t); lives.Counts.Connects != 4 || lives.Counts.Broken != 3 {
		t.Errorf("%d connections are live after %d that broke, want 4 after 3", lives.Counts.Connects, lives.Counts.Broken)
	}
}

// The counts of a closed loop are what it says: every message is accepted, and delivered to all of its room.
func TestClosedLoops(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		scenario string
		each     int64 // deliveries of a message
		complete bool
	}{
		"receipt":  {"connections: 20\nrooms: {size: 10}\nload: {closed: receipt, window: 3}", 10, false},
		"complete": {"connections: 30\nrooms: {size: 30, senders: 1}\nload: {closed: complete}", 30, true},
		"queues":   {"connections: 6\nqueues: true\nrooms: {size: 3, each: 2}\nload: {closed: receipt}", 3, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, newPlan(t, broker.New(t, nil), tc.scenario))
			r.live(t)
			got := r.load(t, 300, patience)
			if got.Faults != (swarm.Faults{}) {
				t.Errorf("faults %+v of a broker that makes none", got.Faults)
			}
			c := got.Counts
			if c.Sent == 0 || c.Accepted > c.Sent || c.Deliveries > c.Sent*tc.each || c.Broken+c.Refused != 0 {
				t.Errorf("counts %+v", c)
			}
			for latency, want := range map[swarm.Latency]bool{
				swarm.MessageTime: true, swarm.ReceiptTime: true, swarm.CompleteTime: tc.complete, swarm.ConnectTime: false,
			} {
				h, err := swarm.Decode(got.Histograms[string(latency)])
				if err != nil {
					t.Fatal(err)
				}
				if (h.TotalCount() > 0) != want {
					t.Errorf("%d times of %s, want some: %t", h.TotalCount(), latency, want)
				}
			}
		})
	}
}

// A server that answers nothing gets a window of messages from each sender, and no more: they could not be sent again.
func TestUnansweredSendersStop(t *testing.T) {
	t.Parallel()
	const window = 64
	b := broker.New(t, nil)
	r := start(t, newPlan(t, b, "connections: 2\nrooms: {size: 2}\nload: {rate: 2000}"))
	r.live(t)
	b.Silence()
	r.order(t, swarm.Order{Do: swarm.Measure})
	r.order(t, swarm.Order{Do: swarm.Go})
	sent, idle := int64(0), 0
	r.await(t, "the senders to stop", func(n swarm.Note) bool {
		if n.Tick != nil {
			sent += n.Tick.Counts.Sent
			if idle++; n.Tick.Counts.Sent > 0 {
				idle = 0
			}
		}
		return sent > 0 && idle == 2
	})
	if sent != 2*window {
		t.Errorf("2 senders sent %d messages without an answer, want %d", sent, 2*window)
	}
}

// Connections that are cut come back, resume, send again what was not answered, and miss nothing.
func TestChurnLosesNothing(t *testing.T) {
	t.Parallel()
	b := broker.New(t, nil)
	r := start(t, newPlan(t, b, "connections: 20\nrooms: {size: 5}\nload: {rate: 300, churn: 40}"))
	r.live(t)
	got := r.load(t, 2000, patience)
	if got.Faults != (swarm.Faults{}) {
		t.Errorf("faults %+v", got.Faults)
	}
	if got.Counts.Cut == 0 || got.Counts.Broken != 0 || b.Closed() == 0 {
		t.Errorf("counts %+v, the broker saw %d end", got.Counts, b.Closed())
	}
}

func TestStorm(t *testing.T) {
	t.Parallel()
	one, two := broker.New(t, nil), broker.New(t, nil)
	plan := newPlan(t, one, "connections: 40\nrooms: {size: 2}\nstorm: {share: 0.5}")
	plan.Servers = append(plan.Servers, two.Addr())
	r := start(t, plan)
	r.live(t)
	r.order(t, swarm.Order{Do: swarm.Go})
	r.order(t, swarm.Order{Do: swarm.Measure})
	back := int64(0)
	r.await(t, "their return", func(n swarm.Note) bool {
		if n.Tick != nil {
			back += n.Tick.Counts.Connects
		}
		return back == 20
	})
	got := r.account(t, patience)
	if got.Counts.Cut != 20 || got.Recovered <= 0 || len(got.Samples) > 0 {
		t.Errorf("counts %+v, recovered after %v, errors %q", got.Counts, got.Recovered, got.Samples)
	}
	if one.Closed() != 20 || two.Closed() != 0 {
		t.Errorf("%d and %d connections ended, want all 20 on the first server", one.Closed(), two.Closed())
	}
}

func TestServersThatAreNotThere(t *testing.T) {
	t.Parallel()
	b := broker.New(t, nil)
	plan := newPlan(t, b, "connections: 4\nrooms: {size: 2}")
	plan.Target.Path = "/ws"
	plan.Servers = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}
	r := start(t, plan)
	limit := time.After(patience)
	for {
		select {
		case n, open := <-r.notes:
			if !open {
				t.Fatal("the worker ended without a word")
			}
			if n.Failed != "" {
				return
			}
		case <-limit:
			t.Fatal("no failure is told")
		}
	}
}

func TestPlansThatCannotBe(t *testing.T) {
	t.Parallel()
	b := broker.New(t, nil)
	for name, change := range map[string]func(*swarm.Plan){
		"churn without resume": func(p *swarm.Plan) { p.Scenario.Load.Churn, p.Target.Resume = 1, "" },
		"rooms are missing":    func(p *swarm.Plan) { p.Rooms = p.Rooms[1:] },
		"a broken template":    func(p *swarm.Plan) { p.Target.Topic = "/topic/{rom}" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := newPlan(t, b, "connections: 4\nrooms: {size: 2}")
			change(plan)
			if _, err := swarm.New(plan, func(swarm.Note) {}); err == nil {
				t.Error("no error")
			}
		})
	}
}
