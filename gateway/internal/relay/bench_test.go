package relay_test

import (
	"testing"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/relay"
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
