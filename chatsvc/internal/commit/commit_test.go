package commit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/commit"
	"github.com/fliliy/chat/chatsvc/internal/fake"
)

// answers remembers what each submission got. Safe for concurrent use.
type answers struct {
	mu     sync.Mutex
	stored map[string][]chat.Stored
	errs   map[string]error
	calls  map[string]int
}

func newAnswers() *answers {
	return &answers{
		stored: make(map[string][]chat.Stored), errs: make(map[string]error), calls: make(map[string]int),
	}
}

func (a *answers) done(name string) func([]chat.Stored, error) {
	return func(stored []chat.Stored, err error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.calls[name]++
		a.stored[name], a.errs[name] = stored, err
	}
}

// check fails unless each name was answered once, with the code ("" is success).
func (a *answers) check(t *testing.T, code chat.Code, names ...string) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range names {
		if a.calls[name] != 1 || chat.CodeOf(a.errs[name]) != code {
			t.Errorf("%s was answered %d times, with error %v; want once with %q", name, a.calls[name], a.errs[name], code)
		}
	}
}

func draft(room int64, content string) chat.Draft {
	return chat.Draft{Room: room, SenderID: "alice", Type: chat.TypeText, Content: content}
}

// run starts the scribe; the function returned stops it and waits.
func run(t *testing.T, s *commit.Scribe) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	}
}

func TestWhileOneTransactionRunsTheNextGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fake.Log{Before: func(context.Context, [][]chat.Draft) error {
			pass(time.Millisecond)
			return nil
		}}
		pub, got := new(fake.Publisher), newAnswers()
		scribe := commit.New(store, pub, commit.Options{MaxBatch: 4})
		stop := run(t, scribe)
		scribe.Submit([]chat.Draft{draft(1, "first")}, got.done("first"))
		synctest.Wait() // its transaction has begun
		var names []string
		for i := range 6 {
			names = append(names, fmt.Sprint("m", i))
			scribe.Submit([]chat.Draft{draft(1, names[i])}, got.done(names[i]))
		}
		stop()
		got.check(t, "", append(names, "first")...)
		if sizes := fmt.Sprint(store.Sizes()); sizes != "[1 4 2]" {
			t.Errorf("transactions had %s drafts, want [1 4 2]", sizes)
		}
		for i, e := range store.Events(1)[1:] {
			if e.Content != names[i] {
				t.Errorf("place %d has %q, want %q", i, e.Content, names[i])
			}
		}
		if published := pub.Events(); len(published) != 7 || published[6].Seq != 7 {
			t.Errorf("published %d events", len(published))
		}
	})
}

func TestALargeUnitHasATransactionForItself(t *testing.T) {
	store, got := new(fake.Log), newAnswers()
	scribe := commit.New(store, new(fake.Publisher), commit.Options{MaxBatch: 2})
	scribe.Submit([]chat.Draft{draft(1, "a")}, got.done("a"))
	scribe.Submit([]chat.Draft{draft(1, "b"), draft(2, "b"), draft(3, "b")}, got.done("b"))
	scribe.Submit([]chat.Draft{draft(1, "c")}, got.done("c"))
	run(t, scribe)()
	got.check(t, "", "a", "b", "c")
	if sizes := fmt.Sprint(store.Sizes()); sizes != "[1 3 1]" {
		t.Errorf("transactions had %s drafts, want [1 3 1]", sizes)
	}
}

func TestPublishedBeforeAnswered(t *testing.T) {
	pub := new(fake.Publisher)
	scribe := commit.New(new(fake.Log), pub, commit.Options{})
	published := -1
	scribe.Submit([]chat.Draft{draft(1, "a")}, func([]chat.Stored, error) { published = len(pub.Events()) })
	run(t, scribe)()
	if published != 1 {
		t.Errorf("%d events were published when the sender was answered, want 1", published)
	}
}

func TestDatabaseAway(t *testing.T) {
	away := fmt.Errorf("%w: connection refused", chat.ErrTransient)
	cases := map[string]struct {
		back time.Duration // when the database is back
		want chat.Code
	}{
		"for a moment":         {50 * time.Millisecond, ""},
		"almost too long":      {4 * time.Second, ""},
		"longer than 5 s":      {6 * time.Second, chat.Unavailable},
		"for a very long time": {time.Hour, chat.Unavailable},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				store := &fake.Log{Before: func(context.Context, [][]chat.Draft) error {
					if time.Since(start) < c.back {
						return away
					}
					return nil
				}}
				got, pub := newAnswers(), new(fake.Publisher)
				scribe := commit.New(store, pub, commit.Options{MaxBatch: 1})
				stop := run(t, scribe)
				for _, name := range []string{"a", "b", "c"} {
					scribe.Submit([]chat.Draft{draft(1, name)}, func(stored []chat.Stored, err error) {
						got.done(name)(stored, err)
						if waited := time.Since(start); waited > 5500*time.Millisecond {
							t.Errorf("%s was answered after %s", name, waited)
						}
					})
				}
				pass(20 * time.Second)
				got.check(t, c.want, "a", "b", "c")
				if stored := len(store.Events(1)); (stored == 3) != (c.want == "") || len(pub.Events()) != stored {
					t.Errorf("%d stored, %d published", stored, len(pub.Events()))
				}
				stop()
			})
		})
	}
}

func TestCommitNotAnswered(t *testing.T) {
	broken := errors.New("connection reset")
	cases := map[string]struct {
		stored  bool          // the commit arrived
		unknown time.Duration // how long nobody can say
		want    chat.Code
		events  int // published in the end
	}{
		"stored":                      {true, 0, "", 1},
		"stored, known after a while": {true, 2 * time.Second, "", 1},
		"not stored, tried again":     {false, 0, "", 1},
		"stored, known too late":      {true, 10 * time.Second, chat.Unavailable, 1},
		"not stored, known too late":  {false, 10 * time.Second, chat.Unavailable, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, first := time.Now(), true
				settle := func(appended chat.Appended) error {
					first = false
					return &chat.InDoubt{Err: broken, Settle: func(context.Context) (chat.Appended, bool, error) {
						if time.Since(start) < c.unknown {
							return chat.Appended{}, false, broken
						}
						return appended, c.stored, nil
					}}
				}
				store := &fake.Log{
					Before: func(context.Context, [][]chat.Draft) error {
						if first && !c.stored {
							return settle(chat.Appended{})
						}
						return nil
					},
					After: func(_ context.Context, appended chat.Appended) error {
						if first && c.stored {
							return settle(appended)
						}
						return nil
					},
				}
				got, pub := newAnswers(), new(fake.Publisher)
				scribe := commit.New(store, pub, commit.Options{})
				stop := run(t, scribe)
				scribe.Submit([]chat.Draft{draft(1, "a")}, got.done("a"))
				pass(20 * time.Second)
				got.check(t, c.want, "a")
				if stored, published := len(store.Events(1)), len(pub.Events()); published != c.events || stored != c.events {
					t.Errorf("%d stored, %d published, want %d", stored, published, c.events)
				}
				stop()
			})
		})
	}
}

func TestAUnitThatSpoilsItsTransactionStandsAlone(t *testing.T) {
	store := &fake.Log{Before: func(_ context.Context, units [][]chat.Draft) error {
		for _, unit := range units {
			if unit[0].Content == "poison" {
				return errors.New("the database chokes on it")
			}
		}
		return nil
	}}
	got := newAnswers()
	scribe := commit.New(store, new(fake.Publisher), commit.Options{})
	names := []string{"a", "b", "poison", "c", "d"}
	for _, name := range names {
		scribe.Submit([]chat.Draft{draft(1, name)}, got.done(name))
	}
	run(t, scribe)()
	got.check(t, "", "a", "b", "c", "d")
	got.check(t, chat.Internal, "poison")
	for i, e := range store.Events(1) {
		if want := []string{"a", "b", "c", "d"}[i]; e.Content != want {
			t.Errorf("place %d has %q, want %q", i, e.Content, want)
		}
	}
}

func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fake.Log{Before: func(context.Context, [][]chat.Draft) error {
			pass(10 * time.Millisecond)
			return nil
		}}
		got := newAnswers()
		scribe := commit.New(store, new(fake.Publisher), commit.Options{MaxBatch: 1, Queue: 2})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		scribe.Submit([]chat.Draft{draft(1, "a")}, got.done("accepted 1"))
		scribe.Submit([]chat.Draft{draft(1, "b")}, got.done("accepted 2"))
		go scribe.Submit([]chat.Draft{draft(1, "c")}, got.done("blocked"))
		synctest.Wait() // it blocks: the queue is full
		if err := scribe.Run(ctx); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		scribe.Submit([]chat.Draft{draft(1, "d")}, got.done("late"))
		got.check(t, "", "accepted 1", "accepted 2")
		got.check(t, chat.Unavailable, "blocked", "late")
	})
}

func TestShutdownWhileTheDatabaseIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fake.Log{Before: func(context.Context, [][]chat.Draft) error { return chat.ErrTransient }}
		got := newAnswers()
		scribe := commit.New(store, new(fake.Publisher), commit.Options{MaxBatch: 1})
		stop := run(t, scribe)
		names := []string{"a", "b", "c"}
		for _, name := range names {
			scribe.Submit([]chat.Draft{draft(1, name)}, got.done(name))
		}
		start := time.Now()
		stop()
		if took := time.Since(start); took > 11*time.Second {
			t.Errorf("the stop took %s", took)
		}
		got.check(t, chat.Unavailable, names...)
	})
}

func TestAFullQueueHoldsSendersBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		store := &fake.Log{Before: func(context.Context, [][]chat.Draft) error {
			<-gate
			return nil
		}}
		got := newAnswers()
		scribe := commit.New(store, new(fake.Publisher), commit.Options{MaxBatch: 1, Queue: 2})
		stop := run(t, scribe)
		accepted := 0
		go func() {
			for i := range 6 {
				scribe.Submit([]chat.Draft{draft(1, "x")}, got.done(fmt.Sprint(i)))
				accepted++
			}
		}()
		synctest.Wait()
		if accepted != 3 { // one in the transaction, two in the queue
			t.Errorf("%d units were accepted, want 3", accepted)
		}
		close(gate)
		synctest.Wait()
		stop()
		got.check(t, "", "0", "1", "2", "3", "4", "5")
	})
}

// pass lets time pass on the bubble's clock.
func pass(d time.Duration) { <-time.After(d) }
