package loadgen

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fliliy/chat/deploy/loadgen/scenario"
	"github.com/fliliy/chat/deploy/loadgen/swarm"
)

// Result is what a run measured. CPU times are of the server's processes by name, as Options.Processes has them, and
// in microseconds.
type Result struct {
	Target   string
	Scenario scenario.Scenario
	When     time.Time
	Servers  int

	Arrival    Arrival
	Memory     map[string]Memory
	Load       Load
	Latencies  map[swarm.Latency]Percentiles // of the load; ConnectTime is in Arrival, but for reconnections
	Faults     swarm.Faults
	Recovered  float64  // seconds from the storm until everybody was live again; 0: there was none
	Samples    []string // some of the errors
	Series     []Second
	Histograms map[swarm.Latency]string // encoded, for plots and for adding up

	merged map[swarm.Latency]*hdrhistogram.Histogram
}

// Arrival is how everybody became live: connected, authenticated, subscribed.
type Arrival struct {
	Connects  int64
	Seconds   float64
	PerSecond float64
	CPU       map[string]float64 // per connection
	Client    float64            // CPU of the load generator per connection
	Latency   Percentiles
	Broken    int64
}

// Memory is the resident memory of a name, in bytes.
type Memory struct {
	Before, After int64   // with nobody connected, at the end of the load
	PerConnection float64 // what came, by connections
}

// Load is what was measured while there was load.
type Load struct {
	Seconds       float64
	Counts        swarm.Counts
	AcceptedRate  float64            // a second
	DeliveryRate  float64            // a second
	CPU           map[string]float64 // all of it
	PerAccepted   map[string]float64 // CPU
	PerDelivery   map[string]float64 // CPU
	Client        float64            // CPU of the load generator per delivery
	ClientSeconds float64            // CPU of the load generator, all of it
}

// Percentiles sum a distribution up, in milliseconds.
type Percentiles struct {
	Count                          int64
	Mean, P50, P90, P99, P999, Max float64
}

// Second is a second of the run.
type Second struct {
	At         float64 // seconds since the first connection
	Phase      Phase
	Live       int
	Connects   int64
	Accepted   int64
	Deliveries int64
	P50, P99   float64            // SEND to MESSAGE, milliseconds
	Cores      map[string]float64 // CPU, in cores
	RSS        map[string]int64   // bytes
}

// String is the second as a line of progress.
func (s Second) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%6.1fs %-10s live %5d  +%5d conn  %6d acc/s  %8d del/s  p50 %7.2f  p99 %7.2f ms ",
		s.At, s.Phase, s.Live, s.Connects, s.Accepted, s.Deliveries, s.P50, s.P99)
	for _, name := range sorted(s.Cores) {
		fmt.Fprintf(&b, " %s %.2f", name, s.Cores[name])
	}
	return b.String()
}

func newResult(o *Options) *Result {
	r := &Result{
		Target: o.Target.Name, Scenario: o.Scenario, When: time.Now().UTC().Truncate(time.Second), Servers: len(o.Servers),
		merged: map[swarm.Latency]*hdrhistogram.Histogram{},
	}
	for _, name := range swarm.Latencies {
		r.merged[name] = swarm.NewHistogram()
	}
	return r
}

// connected takes the figures of the time until everybody was live.
func (r *Result) connected(lives []swarm.Note, took time.Duration, before, after map[string]usage) error {
	c, times, cpu := &r.Arrival, swarm.NewHistogram(), time.Duration(0)
	for _, n := range lives {
		c.Connects += n.Live.Counts.Connects
		c.Broken += n.Live.Counts.Broken
		cpu += n.Live.CPU
		h, err := swarm.Decode(n.Live.Histograms[string(swarm.ConnectTime)])
		if err != nil {
			return err
		}
		times.Merge(h)
	}
	c.Seconds, c.PerSecond = took.Seconds(), float64(c.Connects)/took.Seconds()
	c.Latency = percentiles(times)
	c.CPU = per(c.Connects, spent(before, after))
	c.Client = micros(cpu) / float64(max(c.Connects, 1))
	return nil
}

func (r *Result) measured(took time.Duration, before, after map[string]usage) {
	r.Load.Seconds, r.Load.CPU = took.Seconds(), spent(before, after)
}

func (r *Result) remembered(before, after map[string]usage) {
	r.Memory = map[string]Memory{}
	for name, u := range after {
		grown := float64(u.RSS-before[name].RSS) / float64(r.Scenario.Connections)
		r.Memory[name] = Memory{before[name].RSS, u.RSS, grown}
	}
}

// account adds the workers' accounts up.
func (r *Result) account(notes []swarm.Note) error {
	cpu := time.Duration(0)
	for _, n := range notes {
		one := n.Result
		r.Load.Counts.Add(one.Counts)
		r.Faults.Lost += one.Faults.Lost
		r.Faults.Doubled += one.Faults.Doubled
		r.Faults.Reordered += one.Faults.Reordered
		r.Recovered = max(r.Recovered, one.Recovered.Seconds())
		r.Samples = append(r.Samples, one.Samples...)
		cpu += one.CPU
		for name, text := range one.Histograms {
			h, err := swarm.Decode(text)
			if err != nil {
				return err
			}
			r.merged[swarm.Latency(name)].Merge(h)
		}
	}
	l := &r.Load
	l.AcceptedRate, l.DeliveryRate = float64(l.Counts.Accepted)/l.Seconds, float64(l.Counts.Deliveries)/l.Seconds
	l.PerAccepted, l.PerDelivery = per(l.Counts.Accepted, l.CPU), per(l.Counts.Deliveries, l.CPU)
	l.ClientSeconds = cpu.Seconds()
	if l.Counts.Deliveries > 0 {
		l.Client = micros(cpu) / float64(l.Counts.Deliveries)
	}
	return nil
}

// finish sums the distributions up.
func (r *Result) finish() error {
	r.Latencies, r.Histograms = map[swarm.Latency]Percentiles{}, map[swarm.Latency]string{}
	for name, h := range r.merged {
		if h.TotalCount() == 0 {
			continue
		}
		text, err := h.EncodeV2()
		if err != nil {
			return fmt.Errorf("encode the histogram %s: %w", name, err)
		}
		r.Latencies[name], r.Histograms[name] = percentiles(h), string(text)
	}
	return nil
}

// Clean says whether nothing was lost, doubled or reordered, and no connection broke.
func (r *Result) Clean() bool { return r.Faults == swarm.Faults{} && r.Load.Counts.Broken == 0 }

// WriteJSON writes the result as it is.
func (r *Result) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	return encoder.Encode(r)
}

func percentiles(h *hdrhistogram.Histogram) Percentiles {
	if h.TotalCount() == 0 {
		return Percentiles{}
	}
	at := func(quantile float64) float64 { return millis(h.ValueAtQuantile(quantile)) }
	return Percentiles{h.TotalCount(), h.Mean() / 1000, at(50), at(90), at(99), at(99.9), millis(h.Max())}
}

// spent is the CPU time between two looks, in microseconds.
func spent(before, after map[string]usage) map[string]float64 {
	all := map[string]float64{}
	for name, u := range after {
		all[name] = micros(u.CPU - before[name].CPU)
	}
	return all
}

func per(n int64, of map[string]float64) map[string]float64 {
	if n == 0 {
		return nil
	}
	each := map[string]float64{}
	for name, amount := range of {
		each[name] = amount / float64(n)
	}
	return each
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// Sum adds the values of all names up.
func Sum(of map[string]float64) (sum float64) {
	for _, name := range sorted(of) {
		sum += of[name]
	}
	return sum
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
