package bench

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fliliy/chat/deploy/loadgen"
	"github.com/fliliy/chat/deploy/loadgen/scenario"
	"github.com/fliliy/chat/deploy/loadgen/swarm"
)

// Row is a scenario and the figures of it that count.
type Row struct {
	Name     string
	Scenario scenario.Scenario
	Size     Size
	Figures  []Figure
	Env      []string // settings of gateways and chatsvcs, as in Options
	Leaks    bool     // look for goroutines and file descriptors that are left
}

// Run is one run of a row.
type Run struct {
	*loadgen.Result
	Left Left
}

// Figure is one number of a run.
type Figure struct {
	Name string
	Unit string
	Bar  float64 // 0: none
	More bool    // more is better
	Of   func(*Run) float64
}

// Reached says whether a value reaches the bar.
func (f *Figure) Reached(value float64) bool {
	return f.Bar == 0 || f.More && value >= f.Bar || !f.More && value <= f.Bar
}

func (f *Figure) bar() string {
	switch {
	case f.Bar == 0:
		return ""
	case f.More:
		return fmt.Sprintf("≥ %g", f.Bar)
	}
	return fmt.Sprintf("≤ %g", f.Bar)
}

func atMost(name, unit string, bar float64, of func(*Run) float64) Figure {
	return Figure{name, unit, bar, false, of}
}

func atLeast(name, unit string, bar float64, of func(*Run) float64) Figure {
	return Figure{name, unit, bar, true, of}
}

// What figures are taken from a result.
func rss(name string) func(*Run) float64 {
	return func(r *Run) float64 { return r.Memory[name].PerConnection / 1024 }
}

func p99(of swarm.Latency) func(*Run) float64 {
	return func(r *Run) float64 { return r.Latencies[of].P99 }
}

func connectRate(r *Run) float64  { return r.Arrival.PerSecond }
func connectCPU(r *Run) float64   { return loadgen.Sum(r.Arrival.CPU) }
func deliveryRate(r *Run) float64 { return r.Load.DeliveryRate }
func deliveryCPU(r *Run) float64  { return loadgen.Sum(r.Load.PerDelivery) }
func acceptedRate(r *Run) float64 { return r.Load.AcceptedRate }
func acceptedCPU(r *Run) float64  { return loadgen.Sum(r.Load.PerAccepted) }
func clientCPU(r *Run) float64    { return r.Load.Client }
func recovered(r *Run) float64    { return r.Recovered }

// table is what `make bench` measures: scenario names and the figures that count.
var table = []struct {
	scenario string
	figures  []Figure
}{
	{"idle", []Figure{atMost("RSS of gateways per connection", "KiB", 12, rss("gateway"))}},
	{"connect", []Figure{
		atMost("server CPU per connection", "µs", 300, connectCPU), atLeast("connections", "/s", 4000, connectRate),
	}},
	{"fan-out", []Figure{
		atMost("broadcast complete p99", "ms", 12, p99(swarm.CompleteTime)),
		atMost("server CPU per delivery", "µs", 12, deliveryCPU),
	}},
	{"fan-out-closed", []Figure{
		atLeast("deliveries", "/s", 200_000, deliveryRate), atMost("server CPU per delivery", "µs", 0, deliveryCPU),
	}},
	{"fan-out-window", []Figure{
		atLeast("deliveries", "/s", 700_000, deliveryRate), atMost("SEND to MESSAGE p99", "ms", 150, p99(swarm.MessageTime)),
		atMost("server CPU per delivery", "µs", 0, deliveryCPU),
	}},
	{"rooms-of-2", []Figure{
		atLeast("accepted", "/s", 20_000, acceptedRate), atMost("server CPU per accepted", "µs", 0, acceptedCPU),
		atMost("SEND to RECEIPT p99", "ms", 0, p99(swarm.ReceiptTime)),
	}},
	{"rooms-of-10", []Figure{
		atLeast("deliveries", "/s", 200_000, deliveryRate), atLeast("accepted", "/s", 20_000, acceptedRate),
		atMost("server CPU per delivery", "µs", 0, deliveryCPU),
	}},
	{"rooms-of-10-paced", []Figure{
		atMost("SEND to MESSAGE p99", "ms", 4, p99(swarm.MessageTime)),
		atMost("server CPU per accepted", "µs", 0, acceptedCPU),
	}},
	{"storm", []Figure{
		atMost("all live again after", "s", 0, recovered), atMost("SEND to MESSAGE p99", "ms", 0, p99(swarm.MessageTime)),
	}},
	{"day", []Figure{
		atMost("SEND to MESSAGE p99", "ms", 0, p99(swarm.MessageTime)),
		atMost("server CPU per delivery", "µs", 0, deliveryCPU),
	}},
}

// full is the system that the table is about.
var full = Size{Gateways: 2, Replicas: 1}

// Rows are the rows of `make bench`: all of them, or those named.
func Rows(names ...string) ([]Row, error) {
	rows := make([]Row, 0, len(table))
	for _, line := range table {
		s, err := scenario.Open(line.scenario)
		if err != nil {
			return nil, err
		}
		rows = append(rows, Row{Name: line.scenario, Scenario: s, Size: full, Figures: withClient(&s, line.figures)})
	}
	return choose(rows, names)
}

// withClient adds what the load generator itself may cost, where its load is messages alone.
func withClient(s *scenario.Scenario, figures []Figure) []Figure {
	load := s.Load
	if load.Closed == scenario.Never && load.Rate == 0 || load.Churn+load.Reads+load.Typing+load.Status+s.Storm.Share > 0 {
		return figures
	}
	return append(slices.Clone(figures), atMost("client CPU per delivery", "µs", 10, clientCPU))
}

// choose keeps the rows named; all, where none is.
func choose(rows []Row, names []string) ([]Row, error) {
	if len(names) == 0 {
		return rows, nil
	}
	chosen, known := []Row{}, []string{}
	for _, row := range rows {
		known = append(known, row.Name)
		if slices.Contains(names, row.Name) {
			chosen = append(chosen, row)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("there is no row %q, there are %s", name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}
