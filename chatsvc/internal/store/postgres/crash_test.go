package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/commit"
	"github.com/fliliy/chat/chatsvc/internal/fake"
	"github.com/fliliy/chat/chatsvc/internal/store/postgres"
	"github.com/fliliy/chat/chatsvc/pgtest"
)

// newRoom makes a named room of alice and bob.
func newRoom(t testing.TB, store *postgres.Store) int64 {
	t.Helper()
	room, _, err := store.CreateRoom(t.Context(), chat.NewRoom{Name: "room", MemberIDs: []string{"alice", "bob"}})
	if err != nil {
		t.Fatal(err)
	}
	return room.ID
}

func say(room int64, content string) []chat.Draft {
	return []chat.Draft{{Room: room, SenderID: "alice", Type: chat.TypeText, Content: content}}
}

// ledgerOf collects what senders were told.
type ledgerOf struct {
	mu           sync.Mutex
	acknowledged map[string]string // content by message id
	refused      map[chat.Code]int
}

// TestNothingAcknowledgedIsLostInCrashes crashes the server several times under a stream of messages without client
// message ids, so that only the settling of doubtful commits keeps lost and doubled messages apart.
func TestNothingAcknowledgedIsLostInCrashes(t *testing.T) {
	own, err := pgtest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = own.Stop() })
	store := open(t, own.NewDatabase(t))
	defer store.Close()
	room := newRoom(t, store)
	pub := new(fake.Publisher)
	scribe := commit.New(store, pub, commit.Options{MaxBatch: 16, Patience: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- scribe.Run(ctx) }()

	book := &ledgerOf{acknowledged: make(map[string]string), refused: make(map[chat.Code]int)}
	stop, stopped := make(chan struct{}), make(chan struct{})
	progress := make(chan struct{}, 1)
	go book.stream(scribe, room, stop, stopped, progress)
	for range 4 {
		for range 200 {
			<-progress
		}
		own.Crash()
		if err := own.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	<-stopped
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	book.check(t, store, room, pub)
}

// stream sends until it is stopped, and waits for all answers.
func (b *ledgerOf) stream(scribe *commit.Scribe, room int64, stop, stopped, progress chan struct{}) {
	defer close(stopped)
	var group sync.WaitGroup
	slots := make(chan struct{}, 64) // messages under way
	for i := 0; ; i++ {
		select {
		case <-stop:
			group.Wait()
			return
		case slots <- struct{}{}:
		}
		group.Add(1)
		content := fmt.Sprint("message ", i)
		scribe.Submit(say(room, content), func(stored []chat.Stored, err error) {
			defer group.Done()
			b.mu.Lock()
			if err == nil {
				b.acknowledged[stored[0].MessageID] = content
			} else {
				b.refused[chat.CodeOf(err)]++
			}
			b.mu.Unlock()
			<-slots
			select {
			case progress <- struct{}{}:
			default:
			}
		})
	}
}

func (b *ledgerOf) check(t *testing.T, store *postgres.Store, room int64, pub *fake.Publisher) {
	t.Helper()
	if len(b.refused) > 0 {
		t.Errorf("refused although the server came back in time: %v", b.refused)
	}
	published := make(map[string]bool)
	for _, e := range pub.Events() {
		published[e.MessageID] = true
	}
	var after int64
	for {
		events, err := store.Events(t.Context(), chat.LogRef{Room: room}, chat.Stretch{After: after, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			after++
			if e.Seq != after || b.acknowledged[e.MessageID] != e.Content || !published[e.MessageID] {
				t.Fatalf("place %d: %s says %q; acknowledged %q, published %v", after, e.MessageID, e.Content,
					b.acknowledged[e.MessageID], published[e.MessageID])
			}
		}
		if len(events) == 0 {
			break
		}
	}
	if int(after) != len(b.acknowledged) {
		t.Errorf("%d messages are stored, %d were acknowledged", after, len(b.acknowledged))
	}
}

// TestServerAway asks a store whose server has gone.
func TestServerAway(t *testing.T) {
	own, err := pgtest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = own.Stop() })
	url := own.NewDatabase(t)
	store := open(t, url)
	defer store.Close()
	room := newRoom(t, store)
	own.Crash()
	_, err = store.Append(t.Context(), [][]chat.Draft{say(room, "x")})
	if _, doubt := errors.AsType[*chat.InDoubt](err); doubt || !errors.Is(err, chat.ErrTransient) {
		t.Errorf("append: %v, want a transient error", err)
	}
	if _, err = store.Member(t.Context(), room, "alice"); chat.CodeOf(err) != chat.Unavailable {
		t.Errorf("read: %v, want UNAVAILABLE", err)
	}
	if other, err := postgres.Open(t.Context(), url, postgres.Options{}); err == nil {
		other.Close()
		t.Error("opened a store whose server is away")
	}
	if err := own.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	appended, err := store.Append(t.Context(), [][]chat.Draft{say(room, "x")})
	for errors.Is(err, chat.ErrTransient) { // connections of the pool that do not know yet
		appended, err = store.Append(t.Context(), [][]chat.Draft{say(room, "x")})
	}
	if err != nil || appended.Outcomes[0].Stored[0].Seq != 1 {
		t.Errorf("after the restart: %+v, %v", appended, err)
	}
}
