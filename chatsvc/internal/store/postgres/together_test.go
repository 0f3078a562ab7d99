package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/store/postgres"
)

// Everybody gets the own answer, however many ask at once, and few queries are made.
func TestTogetherAnswersEverybody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var queries, most atomic.Int64
		get := postgres.Together(func(_ context.Context, keys []int) ([]string, error) {
			queries.Add(1)
			most.Store(max(most.Load(), int64(len(keys))))
			<-release
			answers := make([]string, len(keys))
			for i, key := range keys {
				answers[i] = fmt.Sprint("answer ", key)
			}
			return answers, nil
		})
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				if got, err := get(t.Context(), i); err != nil || got != fmt.Sprint("answer ", i) {
					t.Errorf("%d gets %q, %v", i, got, err)
				}
			})
		}
		synctest.Wait() // all have asked
		if n := queries.Load(); n > 4 || most.Load() > 256 {
			t.Errorf("%d queries with up to %d questions under way, want at most 4 with 256", n, most.Load())
		}
		close(release)
		all.Wait()
		if n := queries.Load(); n > 8 || most.Load() > 256 {
			t.Errorf("%d queries with up to %d questions for 1,000, want at most 8 with 256", n, most.Load())
		}
	})
}

// A question that waits for nobody is asked at once; one whose caller gives up keeps nobody.
func TestTogetherLeaves(t *testing.T) {
	t.Parallel()
	block := make(chan struct{})
	get := postgres.Together(func(context.Context, []int) ([]int, error) {
		<-block
		return nil, errors.New("too late")
	})
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := get(ctx, 1)
		left <- err
	}()
	cancel()
	select {
	case err := <-left:
		if !errors.Is(err, context.Canceled) || !errors.Is(err, chat.ErrTransient) {
			t.Errorf("error %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the caller waits although its context has ended")
	}
	close(block)
}

// One question that the database refuses does not spoil the others'.
func TestABadQuestionSpoilsNoOther(t *testing.T) {
	store := open(t, server.NewDatabase(t))
	t.Cleanup(store.Close)
	room := newRoom(t, store)
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			user := "alice"
			if i%10 == 0 {
				user = "no\x00text"
			}
			member, err := store.Member(t.Context(), room, user)
			switch {
			case i%10 == 0 && err == nil:
				t.Error("a name with a NUL is no error")
			case i%10 != 0 && (err != nil || member.UserID != "alice" || member.Role != chat.RoleOwner):
				t.Errorf("alice is %+v, %v", member, err)
			}
		})
	}
	all.Wait()
}

// What was stored before a question was asked is in the answer.
func TestTogetherSeesWhatWasStored(t *testing.T) {
	store := open(t, server.NewDatabase(t))
	t.Cleanup(store.Close)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 5 {
				room := newRoom(t, store)
				member, err := store.Member(t.Context(), room, "alice")
				if err != nil || member.Role != chat.RoleOwner {
					t.Errorf("the owner of a new room is %+v, %v", member, err)
				}
				if nobody, err := store.Member(t.Context(), room, "mallory"); err != nil || nobody.UserID != "" {
					t.Errorf("mallory is %+v, %v", nobody, err)
				}
				if _, err := store.Append(t.Context(), [][]chat.Draft{{benchDraft([]int64{room}, 0)}}); err != nil {
					t.Error(err)
				}
				heads, err := store.Heads(t.Context(), []chat.LogRef{{Room: room}})
				if err != nil || len(heads) != 1 || heads[0].Seq == 0 || heads[0].Log.Room != room {
					t.Errorf("heads %+v, %v", heads, err)
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkMember is access checks of many callers at once.
func BenchmarkMember(b *testing.B) {
	store, rooms := benchStore(b)
	b.ReportAllocs()
	b.SetParallelism(64)
	b.ResetTimer()
	var next atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := store.Member(context.Background(), rooms[next.Add(1)%benchRooms], "alice"); err != nil {
				b.Error(err)
			}
		}
	})
}
