package presence_test

import (
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fliliy/chat/gateway/internal/metrics"
	"github.com/fliliy/chat/gateway/internal/presence"
)

// told collects what gateways tell, in order.
type told struct {
	mu      sync.Mutex
	changes []presence.Change
}

func (t *told) hear(changes []presence.Change) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changes = append(t.changes, changes...)
}

// of is what was told of a user.
func (t *told) of(user string) (statuses []string, times []time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, change := range t.changes {
		if change.User == user {
			statuses = append(statuses, change.Status)
			times = append(times, change.At)
		}
	}
	return statuses, times
}

// byStatus is how many changes were told, by status.
func (t *told) byStatus() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := map[string]int{}
	for _, change := range t.changes {
		all[change.Status]++
	}
	return all
}

// awaitCounted waits until the counters are those of all that was told: what the markers were last may be told still.
func awaitCounted(t *testing.T, registry *prometheus.Registry, heard *told) {
	t.Helper()
	await(t, "the counters say what was told, by status", func() bool {
		return maps.Equal(counted(t, registry), heard.byStatus())
	})
}

// counted is how many changes the metrics count, by status.
func counted(t *testing.T, registry *prometheus.Registry) map[string]int {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatalf("gather: %v", err)
	}
	all := map[string]int{}
	for _, family := range families {
		if family.GetName() == "fliliy_gateway_presence_changes_total" {
			for _, series := range family.GetMetric() {
				if n := int(series.GetCounter().GetValue()); n > 0 {
					all[series.GetLabel()[0].GetValue()] = n
				}
			}
		}
	}
	return all
}

// Two running gateways tell each change of a user of both once, and Redis keeps when she was last seen.
func TestChangesAreToldOnce(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		const alice = "alice of 1 {a}:*"
		var heard told
		opts := quick
		opts.Notify = heard.hear
		registry := prometheus.NewRegistry()
		opts.Metrics = metrics.New(registry) // of both gateways
		rdb := dial(t, s.Addr())
		a, b := runGateway(t, s.Addr(), opts), runGateway(t, s.Addr(), opts)
		await(t, "nothing is held back any more", func() bool {
			return rdb.Exists(t.Context(), presence.GraceKey).Val() == 0
		})
		// Each step follows only when the one before was told, if there was anything to tell.
		for _, step := range []struct {
			do   func()
			told []string
		}{
			{func() { a.Connect("s1", alice) }, []string{"online"}},
			{func() { b.Connect("s2", alice) }, []string{"online"}},
			{func() { b.SetStatus("s2", alice, "busy") }, []string{"online", "busy"}},
			{func() { a.Disconnect("s1", alice) }, []string{"online", "busy"}},
			{func() { b.SetStatus("s2", alice, "away") }, []string{"online", "busy", "away"}},
			{func() { b.Disconnect("s2", alice) }, []string{"online", "busy", "away", "offline"}},
		} {
			step.do()
			a.settle(t, rdb)
			b.settle(t, rdb)
			await(t, "it is told", func() bool {
				statuses, _ := heard.of(alice)
				return len(statuses) >= len(step.told)
			})
			statuses, times := heard.of(alice)
			if diff := cmp.Diff(step.told, statuses); diff != "" {
				t.Fatalf("told of %s (-want +got):\n%s", alice, diff)
			}
			for i := range len(times) - 1 {
				if !times[i].Before(times[i+1]) {
					t.Fatalf("the times of changes do not rise: %v", times)
				}
			}
		}
		awaitCounted(t, registry, &heard)
		_, times := heard.of(alice)
		statuses, err := b.Statuses(t.Context(), []string{alice})
		for err != nil { // Redis was slow
			statuses, err = b.Statuses(t.Context(), []string{alice})
		}
		if seen := statuses[alice].LastSeen; seen.Before(times[len(times)-1]) || time.Since(seen) > time.Hour {
			t.Errorf("last seen at %v, went at %v", seen, times[len(times)-1])
		}
	})
}
