package presence_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/presence"
	"github.com/fliliy/chat/gateway/redistest"
)

// sorted makes an answer comparable: the order of its members means nothing.
func sorted(online event.Online) event.Online {
	slices.SortFunc(online.Members, func(a, b event.OnlineMember) int { return strings.Compare(a.User, b.User) })
	return online
}

func TestLookUps(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		rdb := dial(t, s.Addr())
		a, b := runGateway(t, s.Addr(), quick), runGateway(t, s.Addr(), quick)
		aliceAndBob(a, b)
		a.settle(t, rdb)
		b.settle(t, rdb)

		want := event.Online{
			Members: []event.OnlineMember{{User: "alice", Status: "online"}, {User: "bob", Status: "away"}},
		}
		online := func(room int64) (got event.Online) {
			await(t, "Redis answers in time", func() bool { got = a.Online(t.Context(), room); return !got.Stale })
			return sorted(got)
		}
		if diff := cmp.Diff(want, online(2)); diff != "" {
			t.Errorf("Online(2) on the gateway without bob differs (-want +got):\n%s", diff)
		}
		if empty := online(99); len(empty.Members) > 0 {
			t.Errorf("Online(99) = %+v, want nobody", empty)
		}
		var statuses map[string]presence.Status
		await(t, "Redis answers in time", func() (ok bool) {
			var err error
			statuses, err = a.Statuses(t.Context(), []string{"alice", "bob", "nobody"})
			return err == nil
		})
		wantStatuses := map[string]presence.Status{
			"alice": {Status: "online"}, "bob": {Status: "away"}, "nobody": {Status: "offline"},
		}
		if diff := cmp.Diff(wantStatuses, statuses, cmpopts.IgnoreFields(presence.Status{}, "LastSeen")); diff != "" {
			t.Errorf("Statuses differ (-want +got):\n%s", diff)
		}
	})
}

func TestLookUpsAreBounded(t *testing.T) {
	t.Parallel()
	s := redistest.New(t)
	rdb := dial(t, s.Addr())
	a := runGateway(t, s.Addr(), quick)
	for i := range presence.MaxLookup + 1 {
		id := fmt.Sprint("user ", i)
		a.Connect(id, id)
		a.Enter(id, id, 7)
	}
	a.settle(t, rdb)
	var got event.Online
	await(t, "Redis answers in time", func() bool { got = a.Online(t.Context(), 7); return !got.Stale })
	if len(got.Members) != presence.MaxLookup || !got.Truncated {
		t.Errorf("Online = %d members, truncated %v; want %d, true", len(got.Members), got.Truncated, presence.MaxLookup)
	}
	s.Kill()
	await(t, "the gateway says that it is degraded", func() bool { return a.Ready() != nil })
	if got := a.Online(t.Context(), 7); len(got.Members) != presence.MaxLookup || !got.Truncated || !got.Stale {
		t.Errorf("Online without Redis = %d members, truncated %v, stale %v; want %d, true, true",
			len(got.Members), got.Truncated, got.Stale, presence.MaxLookup)
	}
	if _, err := a.Statuses(t.Context(), make([]string, presence.MaxLookup+1)); err == nil {
		t.Error("Statuses of more users than one look-up may ask for: no error")
	}
}

// Without Redis a gateway tells of its own sessions, and says that this is not all.
func TestLookUpsWithoutRedis(t *testing.T) {
	t.Parallel()
	s := redistest.New(t)
	a, b := runGateway(t, s.Addr(), quick), runGateway(t, s.Addr(), quick)
	aliceAndBob(a, b)
	awaitReady(t, a, b)
	s.Kill()
	await(t, "the gateway says that it is degraded", func() bool { return b.Ready() != nil })

	want := event.Online{
		Members: []event.OnlineMember{{User: "alice", Status: "online"}, {User: "bob", Status: "away"}}, Stale: true,
	}
	if diff := cmp.Diff(want, sorted(b.Online(t.Context(), 2))); diff != "" {
		t.Errorf("Online(2) differs (-want +got):\n%s", diff)
	}
	statuses, err := b.Statuses(t.Context(), []string{"bob", "carol"})
	if !errors.Is(err, presence.ErrStale) || len(statuses) != 1 || statuses["bob"].Status != "away" {
		t.Errorf("Statuses = %v, %v; want bob away, and ErrStale", statuses, err)
	}
}

// All who ask about a room at the same time share a few round trips.
func TestLookUpsOfOneRoomAreShared(t *testing.T) {
	t.Parallel()
	s := redistest.New(t)
	rdb := dial(t, s.Addr())
	a := runGateway(t, s.Addr(), presence.Options{Debounce: -1, LeaseEvery: 200 * time.Millisecond})
	a.Connect("s1", "alice")
	a.Enter("s1", "alice", 1)
	a.settle(t, rdb)
	before := scriptCalls(t, rdb)
	start := time.Now()
	var asking sync.WaitGroup
	for range 1000 {
		asking.Go(func() { a.Online(t.Context(), 1) })
	}
	asking.Wait()
	calls, took := scriptCalls(t, rdb)-before, time.Since(start)
	// One look-up at a time, and a pause after each: so many at most, whatever the machine; the script once more;
	// beats.
	if most := int(took/(20*time.Millisecond)) + 3 + int(took/(200*time.Millisecond)) + 1; calls > most {
		t.Errorf("%d script calls for 1000 look-ups in %v, want at most %d", calls, took, most)
	}
}
