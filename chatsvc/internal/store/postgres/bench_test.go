package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/commit"
	"github.com/fliliy/chat/chatsvc/internal/store/postgres"
)

const benchRooms = 512

// benchDraft is a message of 200 bytes with a client message id, to one of many rooms of two.
func benchDraft(rooms []int64, i int) chat.Draft {
	return chat.Draft{
		Room: rooms[i%len(rooms)], SenderID: "alice", ClientMessageID: fmt.Sprintf("%032d", i), Type: chat.TypeText,
		Content: strings.Repeat("x", 200),
	}
}

func benchStore(b *testing.B) (*postgres.Store, []int64) {
	b.Helper()
	store := open(b, server.NewDatabase(b))
	b.Cleanup(store.Close)
	rooms := make([]int64, benchRooms)
	for i := range rooms {
		rooms[i] = newRoom(b, store)
	}
	return store, rooms
}

// BenchmarkAppend stores batches one after the other, with fsync.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 16, 64, 256, 1024} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			store, rooms := benchStore(b)
			b.ReportAllocs()
			b.ResetTimer()
			sent := 0
			for range b.N {
				units := make([][]chat.Draft, size)
				for i := range units {
					units[i] = []chat.Draft{benchDraft(rooms, sent)}
					sent++
				}
				if _, err := store.Append(context.Background(), units); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "msgs/s")
		})
	}
}

// BenchmarkScribe sends single messages through the scribe as fast as it takes them, at most 4,096 under way.
func BenchmarkScribe(b *testing.B) {
	store, rooms := benchStore(b)
	scribe := commit.New(store, new(discard), commit.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- scribe.Run(ctx) }()
	slots := make(chan struct{}, 4096)
	var group sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		slots <- struct{}{}
		group.Add(1)
		scribe.Submit([]chat.Draft{benchDraft(rooms, i)}, func(_ []chat.Stored, err error) {
			if err != nil {
				b.Error(err)
			}
			<-slots
			group.Done()
		})
	}
	group.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}

// discard encodes what is published, as the real publisher does, and drops it.
type discard struct{ bytes int }

func (d *discard) Publish(events []chat.Event, _ map[int64][]string) {
	for i := range events {
		d.bytes += len(events[i].JSON())
	}
}
