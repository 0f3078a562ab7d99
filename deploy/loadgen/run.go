package loadgen

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/fliliy/chat/deploy/loadgen/swarm"
)

// connectTimeout is how long everybody may take to become live.
const connectTimeout = 5 * time.Minute

// Run makes one run: rooms, connections, load, account. An error means that it could not be made; whether the server
// did well is in the Result.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	users := &users{o.run, o.Secret}
	rooms, err := makeRooms(ctx, &o, users)
	if err != nil {
		return nil, err
	}
	r := &run{Options: o, result: newResult(&o)}
	if r.before, err = o.Processes.look(); err != nil {
		return nil, err
	}
	r.seconds = time.NewTicker(time.Second)
	defer r.seconds.Stop()
	r.enter(Connecting)
	r.workers, err = startWorkers(ctx, &o, rooms, users)
	if r.workers != nil {
		defer r.workers.stop()
	}
	if err != nil {
		return nil, err
	}
	r.watch = newWatch(&o, len(r.workers.all))
	if err := r.phases(ctx); err != nil {
		return nil, err
	}
	return r.result, r.result.finish()
}

// run is one Run.
type run struct {
	Options
	workers *workers
	watch   *watch
	seconds *time.Ticker
	before  map[string]usage // with nobody connected
	result  *Result
}

func (r *run) enter(p Phase) {
	if r.watch != nil {
		r.watch.phase = p
	}
	r.OnPhase(p)
}

// phases makes the run, from the first connection to the last account.
func (r *run) phases(ctx context.Context) error {
	if err := r.connect(ctx); err != nil {
		return err
	}
	if err := r.workers.order(swarm.Order{Do: swarm.Go}); err != nil {
		return err
	}
	if r.Scenario.Warmup > 0 {
		r.enter(Warming)
		if err := r.until(ctx, r.Scenario.Warmup); err != nil {
			return err
		}
	}
	if err := r.measure(ctx); err != nil {
		return err
	}
	r.enter(Settling)
	return r.settle(ctx)
}

// connect waits until everybody is live.
func (r *run) connect(ctx context.Context) error {
	began := time.Now()
	lives, err := r.collect(ctx, connectTimeout, func(n swarm.Note) bool { return n.Live != nil })
	if err != nil {
		return fmt.Errorf("connect everybody: %w", err)
	}
	took := time.Since(began)
	after, err := r.Processes.look()
	if err != nil {
		return err
	}
	return r.result.connected(lives, took, r.before, after)
}

// measure makes the load and takes the figures of it.
func (r *run) measure(ctx context.Context) error {
	r.enter(Measuring)
	if err := r.workers.order(swarm.Order{Do: swarm.Measure}); err != nil {
		return err
	}
	before, err := r.Processes.look()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := r.until(ctx, r.Scenario.Duration); err != nil {
		return err
	}
	took := time.Since(began)
	after, err := r.Processes.look()
	if err != nil {
		return err
	}
	r.result.measured(took, before, after)
	r.result.remembered(r.before, after)
	return r.workers.order(swarm.Order{Do: swarm.Stop})
}

// settle gathers what was sent, waits until it has arrived, and takes the accounts.
func (r *run) settle(ctx context.Context) error {
	sents, err := r.collect(ctx, time.Minute, func(n swarm.Note) bool { return n.Sent != nil })
	if err != nil {
		return fmt.Errorf("stop the load: %w", err)
	}
	expect := map[int][]uint32{}
	for _, n := range sents {
		for room, counts := range n.Sent.Rooms {
			if expect[room] == nil {
				expect[room] = make([]uint32, len(counts))
			}
			for sender, count := range counts {
				expect[room][sender] += count
			}
		}
	}
	order := swarm.Order{Do: swarm.Settle, Expect: expect, Timeout: settleTime}
	if err := r.workers.order(order); err != nil {
		return err
	}
	results, err := r.collect(ctx, settleTime+time.Minute, func(n swarm.Note) bool { return n.Result != nil })
	if err != nil {
		return fmt.Errorf("take the accounts: %w", err)
	}
	r.result.Series = r.watch.series
	return r.result.account(results)
}

// until lets the load run for a time.
func (r *run) until(ctx context.Context, d time.Duration) error {
	_, err := r.collect(ctx, d, func(swarm.Note) bool { return false })
	if errors.Is(err, errTimeout) {
		return nil
	}
	return err
}

var errTimeout = errors.New("it takes too long")

// collect reads notes until every worker has sent one that is wanted, which it returns. Meanwhile it shows progress.
func (r *run) collect(ctx context.Context, limit time.Duration, wanted func(swarm.Note) bool) ([]swarm.Note, error) {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	var found []swarm.Note
	for len(found) < len(r.workers.all) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timeout.C:
			return nil, fmt.Errorf("%w: %d of %d workers have answered after %s", errTimeout, len(found), len(r.workers.all), limit)
		case <-r.seconds.C:
			if err := r.watch.second(); err != nil {
				return nil, err
			}
		case n := <-r.workers.notes:
			switch n = r.workers.heed(n); {
			case n.ended != nil:
				return nil, n.ended
			case n.Failed != "":
				return nil, fmt.Errorf("worker %d: %s", n.from, n.Failed)
			case n.Tick != nil:
				if err := r.watch.tick(n.from, n.Tick); err != nil {
					return nil, err
				}
			case wanted(n.Note):
				found = append(found, n.Note)
			}
		}
	}
	return found, nil
}

// watch makes the time series and the progress lines of a run.
type watch struct {
	options *Options
	phase   Phase
	began   time.Time
	last    map[string]usage
	lastAt  time.Time
	live    []int // by worker
	counts  swarm.Counts
	moment  *hdrhistogram.Histogram
	series  []Second
}

func newWatch(o *Options, workers int) *watch {
	return &watch{
		options: o, phase: Connecting, began: time.Now(), live: make([]int, workers), moment: swarm.NewHistogram(),
	}
}

// tick adds a worker's second.
func (w *watch) tick(from int, t *swarm.Tick) error {
	w.live[from] = t.Live
	w.counts.Add(t.Counts)
	h, err := swarm.Decode(t.Message)
	if err != nil {
		return err
	}
	w.moment.Merge(h)
	return nil
}

// second ends a second of the run.
func (w *watch) second() error {
	now := time.Now()
	used, err := w.options.Processes.look()
	if err != nil {
		return err
	}
	s := Second{
		At: now.Sub(w.began).Seconds(), Phase: w.phase, Accepted: w.counts.Accepted, Deliveries: w.counts.Deliveries,
		Connects: w.counts.Connects, P50: millis(w.moment.ValueAtQuantile(50)), P99: millis(w.moment.ValueAtQuantile(99)),
		Cores: map[string]float64{}, RSS: map[string]int64{},
	}
	for _, live := range w.live {
		s.Live += live
	}
	for name, u := range used {
		s.RSS[name] = u.RSS
		if w.last != nil {
			s.Cores[name] = (u.CPU - w.last[name].CPU).Seconds() / now.Sub(w.lastAt).Seconds()
		}
	}
	w.last, w.lastAt = used, now
	w.counts = swarm.Counts{}
	w.moment.Reset()
	w.series = append(w.series, s)
	_, err = fmt.Fprintln(w.options.Progress, s)
	return err
}

func millis(us int64) float64 { return float64(us) / 1000 }
