package publish_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/publish"
)

// ledger is a store that says what it is told to, and remembers the windows it was asked for.
type ledger struct {
	mu      sync.Mutex
	heads   []chat.Head
	err     error
	windows []time.Duration
	asked   chan struct{} // gets a token for every question
}

func newLedger(heads ...chat.Head) *ledger {
	return &ledger{heads: heads, asked: make(chan struct{}, 10_000)}
}

func (l *ledger) RecentHeads(_ context.Context, window time.Duration) ([]chat.Head, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.windows = append(l.windows, window)
	l.asked <- struct{}{}
	return l.heads, l.err
}

func (l *ledger) say(err error, heads ...chat.Head) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heads, l.err = heads, err
}

// await waits until the store has been asked n times more.
func (l *ledger) await(tb testing.TB, n int) {
	tb.Helper()
	deadline := time.After(patience)
	for range n {
		select {
		case <-l.asked:
		case <-deadline:
			tb.Fatalf("the store is not asked within %s", patience)
		}
	}
}

// questions says how many questions the store has had. The next one gets what say said last.
func (l *ledger) questions() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.windows)
}

func (l *ledger) window(i int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.windows[i]
}

func headOf(room, seq int64) chat.Head { return chat.Head{Log: chat.LogRef{Room: room}, Seq: seq} }

func TestDigestNamesWhatOnlyTheStoreKnows(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	ear := listen(t, broker.url())
	store := newLedger(headOf(42, 7), chat.Head{Log: chat.LogRef{User: "bob"}, Seq: 3})
	r := newRig(t, broker.url(), publish.Options{Interval: often, Repeats: 2, Window: time.Minute, Changes: store}).run(t)
	for range 2 {
		if heads := ear.heads(); len(heads) != 2 {
			t.Fatalf("digest names %v, want two logs", heads)
		}
	}
	// The store goes on telling of them, and they have been named. What is new is named alone.
	store.await(t, 5)
	r.awaitNothingToName(t)
	ear.drain()
	store.say(nil, headOf(42, 7), headOf(43, 1))
	if heads := ear.heads(); len(heads) != 1 || heads[0].GetLog().GetChatRoomId() != 43 {
		t.Errorf("a later digest names %v, want room 43 alone", heads)
	}
	eventually(t, "3 heads are counted as found", func() bool { return testutil.ToFloat64(r.metrics.HeadsFound) == 3 })
}

func TestStoreTellsNothingNewOfWhatWasPublished(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	ear := listen(t, broker.url())
	store := newLedger()
	r := newRig(t, broker.url(), publish.Options{Interval: often, Repeats: 1, Window: time.Minute, Changes: store}).run(t)
	r.publisher.Publish([]chat.Event{message(42, 8, "a")}, nil)
	if heads := ear.heads(); heads[0].GetSeq() != 8 {
		t.Fatalf("digest names %v", heads)
	}
	r.awaitNothingToName(t)
	ear.drain()
	store.say(nil, headOf(42, 8), headOf(42, 7), headOf(43, 1))
	if heads := ear.heads(); len(heads) != 1 || heads[0].GetLog().GetChatRoomId() != 43 {
		t.Errorf("digest names %v, want room 43 alone", heads)
	}
	eventually(t, "1 head is counted as found", func() bool { return testutil.ToFloat64(r.metrics.HeadsFound) == 1 })
}

func TestWindowReachesBackToTheLastAnswer(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	store := newLedger()
	const first, window = time.Hour, time.Minute
	store.say(errors.New("the store is away"))
	r := newRig(t, broker.url(), publish.Options{
		Interval: often, FirstWindow: first, Window: window, Changes: store,
	}).run(t)
	store.await(t, 2)
	store.say(nil)
	answered := store.questions() // the first question that gets an answer
	eventually(t, "the store is asked after an answer", func() bool { return store.questions() > answered+1 })
	for i := range 2 {
		if got := store.window(i); got < first {
			t.Errorf("question %d, before any answer, goes back %s, want at least %s", i, got, first)
		}
	}
	if got := store.window(answered + 1); got < window || got >= first {
		t.Errorf("the question after an answer goes back %s, want little more than %s", got, window)
	}
	if got := testutil.ToFloat64(r.metrics.LooksFailed); got < 2 {
		t.Errorf("%v failed questions are counted, want at least 2", got)
	}
}

func TestHeadsThatComeWithAnErrorCount(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	ear := listen(t, broker.url())
	store := newLedger()
	store.say(errors.New("could not clean up"), headOf(42, 7))
	newRig(t, broker.url(), publish.Options{Interval: often, Changes: store}).run(t)
	if heads := ear.heads(); len(heads) != 1 || heads[0].GetSeq() != 7 {
		t.Errorf("digest names %v, want room 42", heads)
	}
}
