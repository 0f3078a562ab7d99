package metrics_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/fliliy/chat/chatsvc/internal/metrics"
)

// TestNames holds the names to the conventions of Prometheus, and sees that every metric is registered: a vector shows
// once it has a value.
func TestNames(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m := metrics.New(registry)
	m.Counter.Calls.WithLabelValues("m", "OK").Inc()
	m.Counter.Seconds.WithLabelValues("m").Observe(1)
	m.Counter.RelayResults.WithLabelValues("OK").Inc()
	m.Post.Sent.WithLabelValues("envelope").Inc()
	m.Post.Dropped.WithLabelValues("queue_full").Inc()
	m.Scribe.Refused.WithLabelValues("INVALID").Inc()
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
	if count, err := testutil.GatherAndCount(registry); err != nil || count != 17 {
		t.Errorf("%d metrics are registered (%v), want 17", count, err)
	}
}
