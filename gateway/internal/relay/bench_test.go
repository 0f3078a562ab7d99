package relay_test

import (
	"context"
	"testing"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/relay"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// BenchmarkSubmit measures the way of a 200-byte message to a double of the chat service and back: one at a time, and
// with up to 512 on their way, where requests and answers travel in batches. The double's work is included.
func BenchmarkSubmit(b *testing.B) {
	body := make([]byte, 200)
	for _, bench := range []struct {
		name   string
		window int
	}{{"one at a time", 1}, {"window of 512", 512}} {
		b.Run(bench.name, func(b *testing.B) {
			r := newRig(b, &double{relay: answering(storeAll)}, relay.Options{})
			free := make(chan struct{}, bench.window)
			for range bench.window {
				free <- struct{}{}
			}
			done := func(_ []action.Stored, err error) {
				if err != nil {
					b.Errorf("refused: %v", err)
				}
				free <- struct{}{}
			}
			actions := []action.Action{{Verb: action.Send, Room: 42, ContentType: "application/json", Body: body}}
			b.ReportAllocs()
			for b.Loop() {
				<-free
				r.relay.Submit("alice", actions, done)
			}
			for range bench.window { // all answers belong to this run
				<-free
			}
		})
	}
}

// BenchmarkSubscribe is 128 clients that subscribe as fast as they are answered: each by a call of its own, as those
// who resume, and together.
func BenchmarkSubscribe(b *testing.B) {
	answer := func(context.Context, *chatv1.SubscribeRequest) (*chatv1.SubscribeResponse, error) {
		return &chatv1.SubscribeResponse{HeadSeq: 7, MemberIds: []string{"alice", "bob"}}, nil
	}
	many := func(ctx context.Context, in *chatv1.SubscribeManyRequest) (*chatv1.SubscribeManyResponse, error) {
		out := &chatv1.SubscribeManyResponse{Outcomes: make([]*chatv1.SubscribeOutcome, len(in.GetRequests()))}
		for i, one := range in.GetRequests() {
			response, _ := answer(ctx, one)
			out.Outcomes[i] = &chatv1.SubscribeOutcome{Response: response}
		}
		return out, nil
	}
	for name, lastSeq := range map[string]int64{"alone": 7, "together": -1} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, &double{subscribe: answer, many: many}, relay.Options{})
			b.SetParallelism(64)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := r.relay.Subscribe(b.Context(), "alice", event.Log{Room: 42}, lastSeq); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
