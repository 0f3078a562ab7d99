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

		want := event.Online{Members: []event.OnlineMember{{User: "alice", Status: "online"}, {User: "bob", Status: "away"}}}
		if diff := cmp.Diff(want, sorted(a.Online(t.Context(), 2))); diff != "" {
			t.Errorf("Online(2) on the gateway without bob differs (-want +got):\n%s", diff)
		}
		if empty := a.Online(t.Context(), 99); len(empty.Members) > 0 || empty.Stale {
			t.Errorf("Online(99) = %+v, want nobody", empty)
		}
		statuses, err := a.Statuses(t.Context(), []string{"alice", "bob", "nobody"})
		if err != nil {
			t.Fatalf("Statuses: %v", err)
		}
		wantStatuses := map[string]presence.Status{"alice": {Status: "online"}, "bob": {Status: "away"}, "nobody": {Status: "offline"}}
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
	if got := a.Online(t.Context(), 7); len(got.Members) != presence.MaxLookup || !got.Truncated || got.Stale {
		t.Errorf("Online = %d members, truncated %v, stale %v; want %d, true, false",
			len(got.Members), got.Truncated, got.Stale, presence.MaxLookup)
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
	a := runGateway(t, s.Addr(), presence.Options{LeaseEvery: time.Hour, RefreshEvery: time.Hour})
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
	// One look-up at a time, and a pause after each: so many at most, whatever the machine; and one for the script.
	most := int(time.Since(start)/(20*time.Millisecond)) + 3
	if calls := scriptCalls(t, rdb) - before; calls > most {
		t.Errorf("%d script calls for 1000 look-ups in %v, want at most %d", calls, time.Since(start), most)
	}
}
