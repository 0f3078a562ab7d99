package metrics_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fliliy/chat/gateway/internal/metrics"
)

// values gathers one metric family: its counter values by label value ("" without a label).
func values(t *testing.T, gatherer prometheus.Gatherer, name string) map[string]float64 {
	t.Helper()
	families, err := gatherer.Gather()
	if err != nil {
		t.Fatalf("gather: %v", err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		got := map[string]float64{}
		for _, m := range family.GetMetric() {
			label := ""
			if len(m.GetLabel()) > 0 {
				label = m.GetLabel()[0].GetValue()
			}
			got[label] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
		return got
	}
	t.Fatalf("no metric %s", name)
	return nil
}

func TestFamilyCountsByLabel(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m := metrics.New(registry)

	m.FramesIn.Inc("SEND")
	m.FramesIn.Add("SEND", 4)
	m.FramesIn.Inc("SUBSCRIBE")

	got := values(t, registry, "fliliy_gateway_frames_in_total")
	if got["SEND"] != 5 || got["SUBSCRIBE"] != 1 || got["other"] != 0 {
		t.Errorf("frames_in_total = %v, want SEND 5, SUBSCRIBE 1, other 0", got)
	}
}

// What clients send must not make time series: the number of series stays what it was.
func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m := metrics.New(registry)

	for name, family := range map[string]metrics.Family{
		"fliliy_gateway_frames_in_total":   m.FramesIn,
		"fliliy_gateway_refused_total":     m.Refused,
		"fliliy_gateway_hub_dropped_total": m.HubDropped,
	} {
		before := len(values(t, registry, name))
		for i := range 5000 {
			family.Inc("EVIL\n" + strings.Repeat("x", i%100) + string(rune('a'+i%26)))
		}
		got := values(t, registry, name)
		if len(got) != before {
			t.Errorf("%s: %d series after garbage, want still %d", name, len(got), before)
		}
		if got[metrics.Other] != 5000 {
			t.Errorf("%s: other = %v, want 5000", name, got[metrics.Other])
		}
	}
}

func TestNamesCarryThePrefix(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m := metrics.New(registry)
	m.Connections.Set(3)

	families, err := registry.Gather()
	if err != nil {
		t.Fatalf("gather: %v", err)
	}
	if want := reflect.TypeFor[metrics.Metrics]().NumField(); len(families) != want {
		t.Errorf("%d metrics registered, want one for each of the %d fields of Metrics", len(families), want)
	}
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "fliliy_gateway_") {
			t.Errorf("metric %s lacks the prefix", family.GetName())
		}
		if family.GetHelp() == "" {
			t.Errorf("metric %s has no help text", family.GetName())
		}
	}
	if got := values(t, registry, "fliliy_gateway_connections"); got[""] != 3 {
		t.Errorf("connections = %v, want 3", got)
	}
}

func TestCountingDoesNotAllocate(t *testing.T) {
	m := metrics.New(prometheus.NewRegistry())
	if n := testing.AllocsPerRun(100, func() { m.FramesIn.Inc("SEND"); m.MessagesOut.Inc() }); n != 0 {
		t.Errorf("%v allocations per count, want 0", n)
	}
}

// The names of the contract with other packages: a label value outside its set would silently count as Other.
func TestEveryKnownValueHasItsOwnSeries(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m := metrics.New(registry)
	for _, reason := range []string{metrics.DropOld, metrics.DropHoldFull, metrics.DropUninterested, metrics.DropCovered} {
		m.HubDropped.Inc(reason)
	}
	got := values(t, registry, "fliliy_gateway_hub_dropped_total")
	if got[metrics.Other] != 0 {
		t.Errorf("a reason counted as other: %v", got)
	}
}
