package loadgen

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/fliliy/chat/deploy/loadgen/swarm"
)

// WriteText writes the result for people.
func (r *Result) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	line("scenario", "%s: %s", r.Scenario.Name, r.Scenario.About)
	line("server", "%s, %d addresses", r.Target, r.Servers)
	c := &r.Arrival
	line("connect", "%d in %.1f s, %.0f/s; %s", c.Connects, c.Seconds, c.PerSecond, c.Latency)
	line("  server CPU", "%s µs per connection", shares(c.CPU, "%.0f"))
	line("  client CPU", "%.0f µs per connection", c.Client)
	for _, name := range sorted(r.Memory) {
		m := r.Memory[name]
		line("memory of "+name, "%.1f MiB with nobody, %.1f MiB at the end: %.1f KiB per connection",
			mib(m.Before), mib(m.After), m.PerConnection/1024)
	}
	if l := &r.Load; l.Counts != (swarm.Counts{}) {
		n := l.Counts
		line("load", "%.1f s: %d sent, %d accepted (%.0f/s), %d deliveries (%.0f/s), %d other events, %d actions, %d refused",
			l.Seconds, n.Sent, n.Accepted, l.AcceptedRate, n.Deliveries, l.DeliveryRate, n.Others, n.Actions, n.Refused)
		line("  server CPU", "%s µs per accepted message", shares(l.PerAccepted, "%.1f"))
		line("", "%s µs per delivery", shares(l.PerDelivery, "%.2f"))
		line("  client CPU", "%.2f µs per delivery, %.1f s in all", l.Client, l.ClientSeconds)
		line("  connections", "%d cut, %d broke, %d became live", n.Cut, n.Broken, n.Connects)
	}
	for _, name := range swarm.Latencies {
		if p, measured := r.Latencies[name]; measured {
			line("SEND to "+string(name), "%s", p)
		}
	}
	if r.Recovered > 0 {
		line("after the storm", "everybody was live again after %.2f s", r.Recovered)
	}
	line("lost, doubled, reordered", "%d, %d, %d", r.Faults.Lost, r.Faults.Doubled, r.Faults.Reordered)
	for _, sample := range r.Samples {
		line("error", "%s", sample)
	}
	return t.Flush()
}

func (p Percentiles) String() string {
	return fmt.Sprintf("p50 %.2f, p90 %.2f, p99 %.2f, p99.9 %.2f, max %.2f ms (%d)", p.P50, p.P90, p.P99, p.P999, p.Max, p.Count)
}

// shares prints a sum and what it is made of.
func shares(of map[string]float64, format string) string {
	parts := make([]string, 0, len(of))
	for _, name := range sorted(of) {
		parts = append(parts, fmt.Sprintf(name+" "+format, of[name]))
	}
	return fmt.Sprintf(format, Sum(of)) + " (" + strings.Join(parts, ", ") + ")"
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
