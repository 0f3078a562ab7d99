package hub_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/hub"
)

// counter is a sink that only counts.
type counter struct{ n atomic.Int64 }

func (c *counter) Session() string       { return "bench" }
func (c *counter) Deliver(*event.Event)  { c.n.Add(1) }
func (c *counter) Await(context.Context) {}
func (c *counter) End(*event.Error)      {}

func newBenchHub(b *testing.B, rooms, sinks int) (*hub.Hub, []*counter) {
	b.Helper()
	h := hub.New(hub.Options{Interest: newFeed(), Logs: newStore()})
	var all []*counter
	for id := 1; id <= rooms; id++ {
		for range sinks {
			c := new(counter)
			if _, err := h.Subscribe(b.Context(), "bench", room(int64(id)), -1, c); err != nil {
				b.Fatal(err)
			}
			all = append(all, c)
		}
	}
	return h, all
}

// One event to 1,000 subscriptions of one room.
func BenchmarkFanOut1000(b *testing.B) {
	h, sinks := newBenchHub(b, 1, 1000)
	events := []event.Event{newEvent(room(1), 1)}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		events[0].Seq = int64(i) + 1
		h.Deliver(room(1), events)
	}
	b.StopTimer()
	for _, s := range sinks {
		if s.n.Load() != int64(b.N) {
			b.Fatalf("a sink got %d events, want %d", s.n.Load(), b.N)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/sink")
}

// One event to the two subscriptions of a room, in 10,000 rooms, from as many goroutines as there are processors: what
// the shared locks cost.
func BenchmarkFanOutManyRooms(b *testing.B) {
	const rooms = 10_000
	h, _ := newBenchHub(b, rooms, 2)
	var next atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		// Each goroutine has its own rooms, as each lane of the fan-in has.
		const own = 1000
		first := (next.Add(1) - 1) % (rooms / own) * own
		events := []event.Event{newEvent(room(1), 1)}
		for i := int64(0); pb.Next(); i++ {
			events[0].Seq = i/own + 1
			h.Deliver(room(first+i%own+1), events)
		}
	})
}

// A join and a leave of a room with 1,000 others.
func BenchmarkSubscribe(b *testing.B) {
	h, _ := newBenchHub(b, 1, 1000)
	c := new(counter)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := h.Subscribe(b.Context(), "bench", room(1), -1, c); err != nil {
			b.Fatal(err)
		}
		h.Unsubscribe(room(1), c)
	}
}

func TestDeliverAllocatesNothing(t *testing.T) {
	h := hub.New(hub.Options{Interest: newFeed(), Logs: newStore()})
	for range 1000 {
		if _, err := h.Subscribe(t.Context(), "alice", room(1), -1, new(counter)); err != nil {
			t.Fatal(err)
		}
	}
	events := []event.Event{newEvent(room(1), 0)}
	perRun := testing.AllocsPerRun(100, func() {
		events[0].Seq++
		h.Deliver(room(1), events)
	})
	if perRun != 0 {
		t.Errorf("one event to 1,000 sinks allocates %v times, want never", perRun)
	}
}

// What one client of a reconnect storm costs: a resume that misses 100 events, from memory and from the chat service.
func BenchmarkResume(b *testing.B) {
	for _, from := range []string{"memory", "service"} {
		b.Run(from, func(b *testing.B) {
			var tuning hub.Tuning
			if from == "service" {
				tuning.Recent = 1
			}
			st := newStore()
			h := hub.New(hub.Options{Interest: newFeed(), Logs: st, Tuning: tuning})
			if _, err := h.Subscribe(b.Context(), "bench", room(1), -1, new(counter)); err != nil {
				b.Fatal(err)
			}
			h.Deliver(room(1), st.add(room(1), 150))
			c := new(counter)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if _, err := h.Subscribe(b.Context(), "bench", room(1), 50, c); err != nil {
					b.Fatal(err)
				}
				h.Unsubscribe(room(1), c)
			}
			b.StopTimer()
			if got := c.n.Load(); got != int64(b.N)*100 {
				b.Fatalf("%d events in %d resumes, want 100 each", got, b.N)
			}
			b.ReportMetric(float64(st.replayed)/float64(b.N), "read/op")
		})
	}
}
