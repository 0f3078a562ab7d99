package conformance_test

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/conformance"
	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/stomp"
)

// sink takes what one subscription gets.
type sink struct {
	acks bool
	got  []string // "body", or "body again"
}

func (*sink) Session() string       { return "" }
func (*sink) Await(context.Context) {}
func (*sink) End(*event.Error)      {}
func (s *sink) Acknowledges() bool  { return s.acks }
func (s *sink) Deliver(e *event.Event) {
	body := string(e.Frame.Body())
	if strings.Contains(string(e.Frame.AppendTo(nil, stomp.V12, "s", "")), "\nredelivered:true\n") {
		body += " again"
	}
	s.got = append(s.got, body)
}

func subscribe(t failer, b *conformance.Broker, destination string, acks bool) *sink {
	t.Helper()
	s := &sink{acks: acks}
	if _, err := b.Subscribe(context.Background(), "guest", event.Log{User: destination}, -1, s); err != nil {
		t.Fatalf("subscribe %s: %v", destination, err)
	}
	return s
}

func publish(destination, body string) action.Action {
	return action.Action{
		Verb: action.Publish, Body: []byte(body), Message: &action.Message{Destination: destination},
	}
}

func submit(t failer, b *conformance.Broker, actions ...action.Action) {
	t.Helper()
	b.Submit("guest", actions, func(stored []action.Stored, err error) {
		if err != nil || len(stored) != len(actions) {
			t.Fatalf("%d outcomes of %d actions, %v", len(stored), len(actions), err)
		}
	})
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// TestNothingIsLostOrDoubled: whatever subscribers of a queue do, each message is acknowledged once in the end, and none
// comes again after that.
func TestNothingIsLostOrDoubled(t *testing.T) {
	t.Parallel()
	const destination = "/queue/a"
	rapid.Check(t, func(t *rapid.T) {
		b := conformance.New(1 << 20)
		var sinks []*sink
		acked := map[string]int{}
		settle := func(s *sink, refused bool) {
			n := rapid.IntRange(1, len(s.got)).Draw(t, "delivery")
			body := strings.TrimSuffix(s.got[n-1], " again")
			if body == "" {
				return // settled before
			}
			s.got[n-1] = ""
			if !refused {
				acked[body]++
			}
			submit(t, b, action.Action{Verb: action.Settle, Settlement: &action.Settlement{
				Subscription: s, Delivery: int64(n), Refused: refused,
			}})
		}
		published := 0
		steps := rapid.IntRange(1, 60).Draw(t, "steps")
		for range steps {
			var s *sink
			if len(sinks) > 0 {
				s = rapid.SampledFrom(sinks).Draw(t, "subscription")
			}
			switch what := rapid.IntRange(0, 4).Draw(t, "what"); {
			case what == 0:
				published++
				submit(t, b, publish(destination, strconv.Itoa(published)))
			case what == 1:
				sinks = append(sinks, subscribe(t, b, destination, true))
			case what == 2 && s != nil:
				b.Unsubscribe(event.Log{User: destination}, s)
				for i := range sinks {
					if sinks[i] == s {
						sinks = append(sinks[:i:i], sinks[i+1:]...)
						break
					}
				}
			case s != nil && len(s.got) > 0:
				settle(s, what == 3)
			}
		}
		for _, s := range sinks {
			b.Unsubscribe(event.Log{User: destination}, s)
		}
		for _, body := range subscribe(t, b, destination, false).got {
			acked[strings.TrimSuffix(body, " again")]++
		}
		for n := 1; n <= published; n++ {
			if got := acked[strconv.Itoa(n)]; got != 1 {
				t.Fatalf("message %d was taken %d times, want once", n, got)
			}
		}
	})
}

func TestBroker(t *testing.T) {
	t.Parallel()
	settle := func(s *sink, n int64, cumulative, refused bool) action.Action {
		return action.Action{Verb: action.Settle, Settlement: &action.Settlement{
			Subscription: s, Delivery: n, Cumulative: cumulative, Refused: refused,
		}}
	}
	for _, c := range []struct {
		name string
		do   func(t *testing.T, b *conformance.Broker) []*sink
		want []string // what each sink got
	}{
		{"a topic reaches all", func(t *testing.T, b *conformance.Broker) []*sink {
			one, two := subscribe(t, b, "/topic/a", false), subscribe(t, b, "/topic/a", false)
			submit(t, b, publish("/topic/a", "x"), publish("/topic/b", "y"))
			return []*sink{one, two}
		}, []string{"x", "x"}},
		{"a topic keeps nothing", func(t *testing.T, b *conformance.Broker) []*sink {
			submit(t, b, publish("/topic/a", "x"))
			return []*sink{subscribe(t, b, "/topic/a", false)}
		}, []string{""}},
		{"a queue in turn", func(t *testing.T, b *conformance.Broker) []*sink {
			one, two := subscribe(t, b, "/queue/a", false), subscribe(t, b, "/queue/a", true)
			submit(t, b, publish("/queue/a", "1"), publish("/queue/a", "2"), publish("/queue/a", "3"))
			return []*sink{one, two}
		}, []string{"1,3", "2"}},
		{"a queue keeps its order", func(t *testing.T, b *conformance.Broker) []*sink {
			submit(t, b, publish("/queue/a", "1"), publish("/queue/a", "2"))
			one := subscribe(t, b, "/queue/a", true)
			submit(t, b, publish("/queue/a", "3"))
			b.Unsubscribe(event.Log{User: "/queue/a"}, one)
			submit(t, b, publish("/queue/a", "4"))
			return []*sink{one, subscribe(t, b, "/queue/a", false)}
		}, []string{"1,2,3", "1 again,2 again,3 again,4"}},
		{"NACK of one", func(t *testing.T, b *conformance.Broker) []*sink {
			one := subscribe(t, b, "/queue/a", true)
			submit(t, b, publish("/queue/a", "1"), publish("/queue/a", "2"), settle(one, 2, false, true))
			return []*sink{one}
		}, []string{"1,2,2 again"}},
		{"NACK of all up to one, on a topic", func(t *testing.T, b *conformance.Broker) []*sink {
			one := subscribe(t, b, "/topic/a", true)
			submit(t, b, publish("/topic/a", "1"), publish("/topic/a", "2"), publish("/topic/a", "3"),
				settle(one, 2, true, true))
			return []*sink{one}
		}, []string{"1,2,3,1 again,2 again"}},
		{"ACK of what was settled, or never delivered", func(t *testing.T, b *conformance.Broker) []*sink {
			one := subscribe(t, b, "/queue/a", true)
			submit(t, b, publish("/queue/a", "1"), settle(one, 1, false, false), settle(one, 1, false, true),
				settle(one, 7, false, true), settle(&sink{}, 1, false, true))
			return []*sink{one}
		}, []string{"1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for i, s := range c.do(t, conformance.New(1<<20)) {
				if got := strings.Join(s.got, ","); got != c.want[i] {
					t.Errorf("subscription %d got %q, want %q", i, got, c.want[i])
				}
			}
		})
	}
}

// TestUnsettledIsBounded: a client that acknowledges nothing gets as much as ids are remembered, then waits.
func TestUnsettledIsBounded(t *testing.T) {
	t.Parallel()
	b := conformance.New(1 << 20)
	s := subscribe(t, b, "/queue/a", true)
	for range 300 {
		submit(t, b, publish("/queue/a", "x"))
	}
	if len(s.got) != 256 {
		t.Errorf("%d messages wait for their ACK, want 256", len(s.got))
	}
	submit(t, b, action.Action{Verb: action.Settle, Settlement: &action.Settlement{
		Subscription: s, Delivery: 200, Cumulative: true,
	}})
	if len(s.got) != 300 {
		t.Errorf("%d messages came after the ACK of 200, want all 300", len(s.got))
	}
}

// TestKeptIsBounded: what waits in the broker is refused beyond a limit, a whole transaction or nothing of it.
func TestKeptIsBounded(t *testing.T) {
	t.Parallel()
	b := conformance.New(1 << 10)
	large := strings.Repeat("x", 32)
	var refused error
	for range 40 {
		b.Submit("guest", []action.Action{publish("/queue/a", large), publish("/queue/b", large)},
			func(_ []action.Stored, err error) { refused = err })
	}
	if refused == nil {
		t.Fatal("2,560 bytes were kept")
	}
	one, two := subscribe(t, b, "/queue/a", false), subscribe(t, b, "/queue/b", false)
	if len(one.got) != len(two.got) || len(one.got) != 16 {
		t.Errorf("%d and %d messages were kept, want 16 each", len(one.got), len(two.got))
	}
	submit(t, b, publish("/queue/a", large))
}
