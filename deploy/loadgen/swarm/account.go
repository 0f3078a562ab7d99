package swarm

import (
	"fmt"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// maxSamples is how many errors are kept to be shown.
const maxSamples = 5

// account is what a swarm has counted.
type account struct {
	second, measured Counts // since the last tick; since the measurement began, up to the last tick
	faults           Faults
	histograms       map[Latency]*hdrhistogram.Histogram // of the measurement
	moment           *hdrhistogram.Histogram             // of MessageTime since the last tick
	samples          []string
	began            time.Duration // CPU time
	over             *Result       // of the measurement, once it has ended
}

func newAccount() *account {
	a := &account{moment: NewHistogram(), histograms: map[Latency]*hdrhistogram.Histogram{}}
	for _, name := range Latencies {
		a.histograms[name] = NewHistogram()
	}
	return a
}

// begin forgets what was counted so far, but for the faults.
func (a *account) begin() {
	for _, h := range a.histograms {
		h.Reset()
	}
	a.moment.Reset()
	a.second, a.measured, a.began = Counts{}, Counts{}, cpu()
}

// end keeps what was measured until now.
func (a *account) end() error {
	a.roll()
	result := &Result{Counts: a.measured, CPU: cpu() - a.began, Histograms: map[string]string{}}
	for name, h := range a.histograms {
		text, err := h.EncodeV2()
		if err != nil {
			return fmt.Errorf("encode the histogram %s: %w", name, err)
		}
		result.Histograms[string(name)] = string(text)
	}
	a.over = result
	return nil
}

// roll ends a second.
func (a *account) roll() Counts {
	second := a.second
	a.measured.Add(second)
	a.histograms[MessageTime].Merge(a.moment)
	a.moment.Reset()
	a.second = Counts{}
	return second
}

// tick ends a second and tells of it.
func (a *account) tick(live int) (*Tick, error) {
	text, err := a.moment.EncodeV2()
	if err != nil {
		return nil, fmt.Errorf("encode a histogram: %w", err)
	}
	return &Tick{Live: live, Counts: a.roll(), Message: string(text)}, nil
}

func (a *account) record(name Latency, d time.Duration) { note(a.histograms[name], d) }

func note(h *hdrhistogram.Histogram, d time.Duration) {
	us := min(max(d.Microseconds(), 1), h.HighestTrackableValue())
	_ = h.RecordValue(us) // it is in range
}

func (a *account) sample(format string, args ...any) {
	if len(a.samples) < maxSamples {
		a.samples = append(a.samples, fmt.Sprintf(format, args...))
	}
}

// cpu is the CPU time of this process.
func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
