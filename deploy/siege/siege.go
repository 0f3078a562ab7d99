// Package siege attacks a gateway as strangers on the Internet do, with connections that say nothing or hardly anything, or
// that send frames without end which bring nothing, and measures what that costs the gateway, when each is gone, and what
// honest clients notice meanwhile. The gateway is a process with its default limits. The attackers who are many come from
// many loopback addresses, so that it is the limits before CONNECT that have to hold, not those of one address. cmd/siege
// runs it. It knows no load and no fault: those are loadgen's and faults'.
package siege

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/procfs"

	"github.com/fliliy/chat/deploy/fleet"
)

// Options say what Run does.
type Options struct {
	Silent int // attackers who upgrade, and say nothing
	Slow   int // attackers who send the header of a request by one byte every Pause
	Pause  time.Duration
	Abuse  time.Duration // how long one address floods the gateway with frames, connecting again after each cut
	Honest int           // honest connects a second, meanwhile
	Calm   time.Duration // of honest connects alone, before each attack
	Env    []string      // NAME=VALUE for the gateway, besides its settings

	Progress io.Writer
}

// Default is what the bars are about.
func Default() Options {
	return Options{Silent: 5_000, Slow: 2_000, Pause: 5 * time.Second, Abuse: 30 * time.Second, Honest: 20, Calm: 5 * time.Second, Progress: io.Discard}
}

// Outcome is what one attack came to.
type Outcome struct {
	Name      string
	Attackers int
	Refused   int           // of them, before they could begin
	Cost      float64       // bytes of the gateway's resident memory for each, at the most
	Gone      time.Duration // until the last was cut, since it began: from the upgrade, or from the connection
	Honest    Latency       // of connects from the first byte to CONNECTED
	Before    Latency       // the same, before the attack
	CPU       float64       // what the gateway used of all the machine's, beyond that of honest connects; 1 is all of it
	CPUBar    float64       // 0: none
	GoneBar   time.Duration
	CostBar   float64 // 0: none
}

// The bars.
const (
	honestBar  = time.Second
	silentGone = 15 * time.Second
	slowGone   = 10 * time.Second
	costBar    = 15 << 10
	cpuBar     = 0.05
	abuseGone  = time.Second

	sampleEvery  = 100 * time.Millisecond
	goneGrace    = 500 * time.Millisecond // of a busy machine, beyond a bar that is the gateway's own time limit
	rampPerPause = 50                     // attackers that begin at once, every rampPause
	rampPause    = 10 * time.Millisecond
)

// Held says whether the bars were met.
func (o *Outcome) Held() bool {
	return o.Refused == 0 && o.Honest.Failed == 0 && o.Honest.P99 <= honestBar && o.Gone <= o.GoneBar+goneGrace &&
		(o.CostBar == 0 || o.Cost <= o.CostBar) && (o.CPUBar == 0 || o.CPU <= o.CPUBar)
}

// String is a line of the report.
func (o *Outcome) String() string {
	verdict := "held"
	if !o.Held() {
		verdict = "MISSED"
	}
	return fmt.Sprintf("%s: %d attackers (%d refused), %.1f KiB each, the last gone after %.2f s, %.1f %% of the CPUs; "+
		"honest connects meanwhile %v, before %v: %s",
		o.Name, o.Attackers, o.Refused, o.Cost/1024, o.Gone.Seconds(), 100*o.CPU, o.Honest, o.Before, verdict)
}

// Latency is of many connects.
type Latency struct {
	Count, Failed int
	P50, P99, Max time.Duration
}

// String is the latency in words.
func (l Latency) String() string {
	return fmt.Sprintf("p50 %d ms, p99 %d ms, worst %d ms (%d, %d failed)",
		l.P50.Milliseconds(), l.P99.Milliseconds(), l.Max.Milliseconds(), l.Count, l.Failed)
}

func newLatency(took []time.Duration, failed int) Latency {
	l := Latency{Count: len(took) + failed, Failed: failed}
	if len(took) == 0 {
		return l
	}
	slices.Sort(took)
	l.P50, l.P99, l.Max = took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	return l
}

// Run attacks a fresh gateway with each kind of attack. An error means that something could not be measured.
func Run(ctx context.Context, o Options) (outcomes []Outcome, err error) {
	folder, err := os.MkdirTemp("", "fliliy-siege-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for programs and logs: %w", err)
	}
	if err := fleet.Build(ctx, folder); err != nil {
		return nil, err
	}
	for _, a := range []attack{
		{name: "silent after the upgrade", attackers: o.Silent, begin: beSilent, goneBar: silentGone, costBar: costBar},
		{name: "slowloris", attackers: o.Slow, begin: dribble(o.Pause), goneBar: slowGone},
		{name: "frame abuse", attackers: 1, begin: abuse(o.Abuse), goneBar: abuseGone, cpuBar: cpuBar},
	} {
		fmt.Fprintf(o.Progress, "%s: %d attackers\n", a.name, a.attackers)
		outcome, err := besiege(ctx, folder, &o, a)
		if err != nil {
			return outcomes, fmt.Errorf("%s: %w; the logs are in %s", a.name, err, folder)
		}
		outcomes = append(outcomes, outcome)
	}
	return outcomes, os.RemoveAll(folder)
}

// besiege starts a system, attacks its gateway, and ends it.
func besiege(ctx context.Context, folder string, o *Options, a attack) (outcome Outcome, err error) {
	s, err := start(ctx, folder, o.Env)
	defer func() { err = errors.Join(err, s.stop()) }()
	if err != nil {
		return Outcome{}, err
	}
	outcome = Outcome{Name: a.name, Attackers: a.attackers, GoneBar: a.goneBar, CostBar: a.costBar, CPUBar: a.cpuBar}
	idle, err := s.measure(func() (err error) { outcome.Before, err = s.calm(ctx, o); return err })
	if err != nil {
		return Outcome{}, err
	}
	base, err := s.resident()
	if err != nil {
		return Outcome{}, err
	}
	under, over := context.WithCancel(ctx)
	defer over()
	honest := make(chan Latency, 1)
	go func() { honest <- s.connects(under, o.Honest) }()
	peak := make(chan int64, 1)
	go func() { peak <- s.peak(under) }()
	used, err := s.measure(func() error { outcome.Gone, outcome.Refused = a.run(ctx, s); return nil })
	outcome.CPU = max(0, used-idle)
	over()
	outcome.Honest = <-honest
	if a.attackers > 0 {
		outcome.Cost = float64(<-peak-base) / float64(a.attackers)
	}
	return outcome, errors.Join(err, ctx.Err())
}

// calm measures honest connects while nobody attacks, which warms the gateway up, too.
func (s *system) calm(ctx context.Context, o *Options) (Latency, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Calm)
	defer cancel()
	before := s.connects(ctx, o.Honest)
	if before.Failed > 0 {
		return before, fmt.Errorf("honest clients do not get in before the attack: %v:\n%s", before, s.gateway.LogEnd())
	}
	return before, nil
}

// resident is the memory of the gateway, in bytes.
func (s *system) resident() (int64, error) {
	stat, err := s.stat()
	return int64(stat.ResidentMemory()), err
}

func (s *system) stat() (procfs.ProcStat, error) {
	process, err := procfs.NewProc(s.gateway.Pid())
	if err != nil {
		return procfs.ProcStat{}, fmt.Errorf("look at the gateway: %w", err)
	}
	stat, err := process.Stat()
	if err != nil {
		return procfs.ProcStat{}, fmt.Errorf("look at the gateway: %w", err)
	}
	return stat, nil
}

// peak is the most memory that the gateway has until ctx ends.
func (s *system) peak(ctx context.Context) (most int64) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		if now, err := s.resident(); err == nil {
			most = max(most, now)
		}
		select {
		case <-ctx.Done():
			return most
		case <-tick.C:
		}
	}
}

// attack is one kind of attack.
type attack struct {
	name      string
	attackers int
	// begin makes one attacker do her worst, and returns how long she held on; an error: she was refused.
	begin   func(ctx context.Context, s *system, number int) (time.Duration, error)
	goneBar time.Duration
	costBar float64
	cpuBar  float64
}

// run lets all attackers come within moments, and returns when the last is gone.
func (a *attack) run(ctx context.Context, s *system) (last time.Duration, refused int) {
	var all sync.WaitGroup
	var mu sync.Mutex
	tick := time.NewTicker(rampPause)
	defer tick.Stop()
	for number := range a.attackers {
		if number%rampPerPause == 0 {
			<-tick.C
		}
		all.Go(func() {
			held, err := a.begin(ctx, s, number)
			mu.Lock()
			defer mu.Unlock()
			last = max(last, held)
			if err != nil {
				refused++
			}
		})
	}
	all.Wait()
	return last, refused
}
