package bench_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fliliy/chat/deploy/bench"
	"github.com/fliliy/chat/deploy/loadgen"
	"github.com/fliliy/chat/deploy/loadgen/scenario"
	"github.com/fliliy/chat/deploy/loadgen/swarm"
)

// asWorker makes this test program a load worker.
const asWorker = "-run-as-worker"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asWorker {
		if swarm.Serve(context.Background(), os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// The whole system, started, measured for a second, and taken down.
func TestMeasure(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenario.Parse("small", []byte(`
name: small
connections: 20
queues: true
rooms: {size: 5, each: 2}
load: {rate: 50, reads: 20, typing: 20, status: 5, churn: 5}
duration: 2s`))
	if err != nil {
		t.Fatal(err)
	}
	row := bench.Row{Name: "small", Scenario: s, Size: bench.Size{Gateways: 2, Replicas: 2}, Figures: []bench.Figure{
		{Name: "deliveries", Unit: "/s", Bar: 1, More: true, Of: func(r *bench.Run) float64 { return r.Load.DeliveryRate }},
	}}
	var progress bytes.Buffer
	profiles := filepath.Join(t.TempDir(), "profiles", "today")
	outcomes, err := bench.Measure(t.Context(), bench.Options{
		Rows: []bench.Row{row}, Times: 1, Worker: []string{self, asWorker}, Progress: &progress, Profiles: profiles,
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	got := outcomes[0].Runs[0]
	if !got.Clean() || got.Load.Counts.Deliveries == 0 || got.Load.Counts.Refused != 0 || got.Load.Counts.Actions == 0 {
		t.Errorf("faults %+v, counts %+v, errors %q", got.Faults, got.Load.Counts, got.Samples)
	}
	for _, name := range []string{"gateway", "chatsvc", "postgres", "redis", "nats"} {
		if got.Memory[name].After == 0 {
			t.Errorf("%s was not watched: %v", name, got.Memory)
		}
	}
	if found, _ := filepath.Glob(filepath.Join(profiles, "small-1-gateway0-*.pprof")); len(found) != 2 {
		t.Errorf("profiles %v, want two of the first gateway", found)
	}
	report := &bench.Report{Title: "test", Facts: []string{"machine: this"}, Outcomes: outcomes}
	path := filepath.Join(t.TempDir(), "new", "x")
	if err := report.Save(path); err != nil {
		t.Fatal(err)
	}
	for _, ending := range []string{".txt", ".json", ".html"} {
		if page, err := os.ReadFile(path + ending); err != nil || !strings.Contains(string(page), "small") {
			t.Errorf("%s: %v, %d bytes", ending, err, len(page))
		}
	}
}

func result(deliveries float64) *bench.Run {
	r := &bench.Run{Result: &loadgen.Result{}}
	r.Load.DeliveryRate = deliveries
	return r
}

func TestReport(t *testing.T) {
	t.Parallel()
	rate := func(r *bench.Run) float64 { return r.Load.DeliveryRate }
	row := &bench.Row{Name: "row", Figures: []bench.Figure{
		{Name: "reached", Bar: 20, More: true, Of: rate},
		{Name: "missed", Bar: 21, More: true, Of: rate},
		{Name: "missed as well", Bar: 19, Of: rate},
		{Name: "free", Of: rate},
	}}
	broken := result(90)
	broken.Faults.Lost = 3
	ours := &bench.Outcome{Row: row, Server: "fliliy", Runs: []*bench.Run{broken, result(10), result(20)}}
	theirs := &bench.Outcome{Row: row, Server: "other", Runs: []*bench.Run{result(1)}}
	if median, least, most := ours.Median(&row.Figures[0]); median != 20 || least != 10 || most != 90 {
		t.Errorf("median %g, least %g, most %g", median, least, most)
	}
	var text strings.Builder
	if err := (&bench.Report{Outcomes: []*bench.Outcome{ours, theirs}}).WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text.String()) {
		wrong := strings.Contains(line, "missed") && !strings.Contains(line, "other")
		if strings.Contains(line, "reached") && strings.HasSuffix(strings.TrimSpace(line), "missed") ||
			wrong && !strings.HasSuffix(strings.TrimSpace(line), "missed") {
			t.Errorf("the line %q says the wrong thing", line)
		}
	}
	if !strings.Contains(text.String(), "Lost:3") || strings.Count(text.String(), "≥") != 2 {
		t.Errorf("the faults, or the bars, are wrong:\n%s", &text)
	}
}

func TestRows(t *testing.T) {
	t.Parallel()
	for name, rows := range map[string]func(...string) ([]bench.Row, error){"table": bench.Rows, "growth": bench.Growth} {
		all, err := rows()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range all {
			if err := row.Scenario.Validate(); err != nil || len(row.Figures) == 0 {
				t.Errorf("%s, %s: %v, %d figures", name, row.Name, err, len(row.Figures))
			}
			if row.Scenario.Connections > 15_000*row.Size.Gateways {
				t.Errorf("%s: %d connections on %d gateways", row.Name, row.Scenario.Connections, row.Size.Gateways)
			}
			for i := range row.Figures {
				_ = row.Figures[i].Of(result(1)) // a result that lacks much is no reason to fail
			}
		}
	}
}

// A soak whose memory grows is told from one whose memory stays.
func TestDrift(t *testing.T) {
	t.Parallel()
	rows, err := bench.Growth("soak")
	if err != nil {
		t.Fatal(err)
	}
	for growth, want := range map[float64]float64{0: 0, 0.001: 7, 1: 350} {
		run := result(1)
		for at := range 1000 {
			rss := int64(1e9 * (1 + growth*float64(at)/10))
			run.Series = append(run.Series, loadgen.Second{RSS: map[string]int64{"gateway": rss}, At: time.Duration(at).Seconds()})
		}
		got := rows[0].Figures[0].Of(run)
		if reached := rows[0].Figures[0].Reached(got); reached != (growth == 0) {
			t.Errorf("growth %g is a drift of %g %%, reached %t; about %g expected", growth, got, reached, want)
		}
	}
}

func TestGauge(t *testing.T) {
	t.Parallel()
	g, err := bench.TakeGauge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if g.Write <= 0 || g.Read <= 0 || g.Sync <= 0 || !strings.Contains(g.String(), "µs") {
		t.Errorf("%+v: %s", g, g)
	}
}
