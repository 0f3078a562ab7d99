package fanin_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/fanin"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// blackhole is a hub that wants nothing.
type blackhole struct{ fanin.Hub }

func (blackhole) Deliver(event.Log, []event.Event)       {}
func (blackhole) Covered(string, int64, int64, int) bool { return true }

// BenchmarkTake takes a message of 200 bytes as its room's event, with its frame, and as a live copy that nobody needs.
func BenchmarkTake(b *testing.B) {
	m := message(42, 7)
	m.Json = append([]byte(`{"event":"MESSAGE","content":"`), append(make([]byte, 170), '"', '}')...)
	data, err := proto.Marshal(&chatv1.Envelope{Log: roomRef(42), Events: []*chatv1.Event{m}})
	if err != nil {
		b.Fatal(err)
	}
	for name, log := range map[string]event.Log{"event": {Room: 42}, "covered copy": {User: "alice"}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			take := fanin.Taker(log, blackhole{})
			for b.Loop() {
				take(data)
			}
		})
	}
}
