package metrics

import "github.com/prometheus/client_golang/prometheus"

const (
	namespace = "fliliy"
	subsystem = "gateway"

	// Other is the label value of everything outside a family's fixed set.
	Other = "other"
)

// Family is a counter with one label whose values are a fixed set: any other value counts as Other. Counting takes no
// lock and does not allocate.
type Family struct {
	counters map[string]prometheus.Counter // never changed once made
}

// Inc counts one under the label value.
func (f Family) Inc(value string) { f.Add(value, 1) }

// Add counts n >= 0 under the label value.
func (f Family) Add(value string, n int) {
	counter, ok := f.counters[value]
	if !ok {
		counter = f.counters[Other]
	}
	counter.Add(float64(n))
}

// register makes metrics under the gateway's prefix and registers them at once.
type register struct{ registerer prometheus.Registerer }

func (r register) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: subsystem, Name: name, Help: help,
	})
	r.registerer.MustRegister(c)
	return c
}

func (r register) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: subsystem, Name: name, Help: help,
	})
	r.registerer.MustRegister(g)
	return g
}

// family makes all series of a family at once, so that they stand at 0 from the start.
func (r register) family(name, help, label string, values []string) Family {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: subsystem, Name: name, Help: help,
	}, []string{label})
	r.registerer.MustRegister(vec)
	f := Family{counters: make(map[string]prometheus.Counter, len(values)+1)}
	for _, value := range append([]string{Other}, values...) {
		f.counters[value] = vec.WithLabelValues(value)
	}
	return f
}
