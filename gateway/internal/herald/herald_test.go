package herald_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/herald"
)

// world doubles the chat service and presence.
type world struct {
	mu       sync.Mutex
	fail     error // of reports
	online   map[string]string
	stale    bool
	slow     time.Duration // of a look-up of statuses
	reported [][]event.StatusChange
	asked    [][]string
}

func (w *world) ReportStatuses(_ context.Context, changes []event.StatusChange) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail == nil {
		w.reported = append(w.reported, changes)
	}
	return w.fail
}

func (w *world) Statuses(_ context.Context, users []string) (map[string]string, bool) {
	w.mu.Lock()
	w.asked = append(w.asked, users)
	found := maps.Clone(w.online)
	stale := w.stale
	w.mu.Unlock()
	if w.slow > 0 {
		<-time.After(w.slow)
	}
	return found, stale
}

func (w *world) Online(context.Context, int64) event.Online {
	return event.Online{Members: []event.OnlineMember{{User: "opener", Status: "busy"}}}
}

func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// inBubble runs a herald, and fails if anything of it is left.
func inBubble(t *testing.T, w *world, test func(h *herald.Herald, stop func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := herald.New(w, w, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if err := h.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
		}()
		stop := func() { cancel(); <-ended }
		test(h, stop)
		stop()
	})
}

func change(user, status string, second int64) event.StatusChange {
	return event.StatusChange{User: user, Status: status, At: time.Unix(second, 0)}
}

// told is a PRESENCE event as a line: users with their statuses, then flags.
func told(t *testing.T, e *event.Event) string {
	t.Helper()
	var body struct {
		Event, ChatRoomID string
		Online            []struct{ UserID, Status string }
		Truncated, Stale  bool
	}
	if err := json.Unmarshal(e.Frame.Body(), &body); err != nil || body.Event != "PRESENCE" || e.Kind != event.Presence {
		t.Fatalf("%s is no PRESENCE: %v", e.Frame.Body(), err)
	}
	words := []string{body.ChatRoomID}
	for _, m := range body.Online {
		words = append(words, m.UserID+":"+m.Status)
	}
	return strings.Join(words, " ") + map[bool]string{true: " truncated"}[body.Truncated] +
		map[bool]string{true: " stale"}[body.Stale]
}

func TestReportsAreRepeatedUntilTaken(t *testing.T) {
	t.Parallel()
	w := &world{fail: &event.Error{Code: event.Unavailable}, online: map[string]string{"alice": "online", "carol": "busy"}}
	inBubble(t, w, func(h *herald.Herald, _ func()) {
		h.Notify([]event.StatusChange{change("alice", "online", 5), change("bob", "offline", 5), change("carol", "away", 5)})
		synctest.Wait()
		h.Notify([]event.StatusChange{change("alice", "away", 4)}) // late: it was told before
		<-time.After(10 * time.Second)
		w.set(func() { w.fail = nil })
		<-time.After(10 * time.Second)
		synctest.Wait()
		var got []string
		for _, report := range w.reported {
			for _, c := range report {
				got = append(got, c.User+" "+c.Status)
			}
		}
		slices.Sort(got)
		// Carol is busy by now: that somebody else reports.
		if want := []string{"alice online", "bob offline"}; !slices.Equal(got, want) {
			t.Errorf("reported %q, want %q", got, want)
		}
	})
}

func TestRefusedReportsAreNotRepeated(t *testing.T) {
	t.Parallel()
	w := &world{fail: &event.Error{Code: event.Invalid}}
	inBubble(t, w, func(h *herald.Herald, _ func()) {
		h.Notify([]event.StatusChange{change("alice", "online", 1)})
		<-time.After(time.Minute)
		w.set(func() { w.fail = nil })
		h.Notify([]event.StatusChange{change("bob", "online", 1)})
		synctest.Wait()
		if len(w.reported) != 1 || len(w.reported[0]) != 1 || w.reported[0][0].User != "bob" {
			t.Errorf("reported %v, want bob alone", w.reported)
		}
	})
}

func TestManyChangesGoInBatches(t *testing.T) {
	t.Parallel()
	w := &world{}
	inBubble(t, w, func(h *herald.Herald, _ func()) {
		var changes []event.StatusChange
		for i := range 3*herald.MaxReports + 1 {
			changes = append(changes, change(strconv.Itoa(i), "online", 1))
		}
		h.Notify(changes)
		synctest.Wait()
		users := map[string]bool{}
		for _, report := range w.reported {
			if len(report) > herald.MaxReports {
				t.Errorf("a report has %d changes", len(report))
			}
			for _, c := range report {
				users[c.User] = true
			}
		}
		if len(w.reported) != 4 || len(users) != len(changes) {
			t.Errorf("%d reports about %d users, want 4 about %d", len(w.reported), len(users), len(changes))
		}
	})
}

func TestSnapshots(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		world   *world
		members []string
		want    string
	}{
		{
			"members who are not offline", &world{online: map[string]string{"alice": "away", "bob": "busy"}},
			[]string{"alice", "bob", "carol"},
			"7 alice:away bob:busy",
		},
		{"the own user, though nobody has noticed yet", &world{}, []string{"alice", "bob"}, "7 alice:online"},
		{
			"stale", &world{stale: true, online: map[string]string{"bob": "online"}},
			[]string{"alice", "bob"},
			"7 bob:online alice:online stale",
		},
		{"a large room", &world{}, nil, "7 opener:busy alice:online truncated"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, test.world, func(h *herald.Herald, stop func()) {
				got := make(chan *event.Event, 2)
				h.Tell(7, "alice", test.members, func(e *event.Event) { got <- e })
				if line := told(t, <-got); line != test.want {
					t.Errorf("told %q, want %q", line, test.want)
				}
				stop()
				h.Tell(8, "alice", test.members, func(e *event.Event) { got <- e })
				if line := told(t, <-got); line != "8 alice:online stale" {
					t.Errorf("after the end told %q", line)
				}
			})
		})
	}
}

// Who asks while a look-up is under way gets the next one, with all others; a room's event is encoded once.
func TestAStormCostsFewLookUps(t *testing.T) {
	t.Parallel()
	w := &world{slow: 10 * time.Millisecond, online: map[string]string{"bob": "online"}}
	inBubble(t, w, func(h *herald.Herald, _ func()) {
		const clients = 5000
		got := make(chan *event.Event, clients+1)
		h.Tell(1, "first", []string{"first", "bob"}, func(e *event.Event) { got <- e })
		synctest.Wait()
		w.set(func() { w.online = map[string]string{"bob": "away"} }) // after the look-up began
		for i := range clients {
			user := "u" + strconv.Itoa(i%50)
			h.Tell(int64(2+i%50), user, []string{user, "bob"}, func(e *event.Event) { got <- e })
		}
		<-time.After(time.Second)
		synctest.Wait()
		if line := told(t, <-got); line != "1 bob:online first:online" {
			t.Errorf("the first was told %q", line)
		}
		different := map[*event.Event]bool{}
		for range clients {
			e := <-got
			different[e] = true
			if line := told(t, e); !strings.Contains(line, "bob:away") {
				t.Fatalf("who asked later was told %q, read before she asked", line)
			}
		}
		if len(w.asked) > 2+clients/250 || len(different) > 50*len(w.asked) {
			t.Errorf("%d clients cost %d look-ups and %d events", clients, len(w.asked), len(different))
		}
		for _, users := range w.asked {
			if len(users) > 1000 {
				t.Errorf("a look-up is about %d users", len(users))
			}
		}
	})
}
