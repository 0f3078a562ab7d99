package loadgen_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fliliy/chat/deploy/loadgen"
	"github.com/fliliy/chat/deploy/loadgen/broker"
	"github.com/fliliy/chat/deploy/loadgen/scenario"
	"github.com/fliliy/chat/deploy/loadgen/swarm"
)

// asWorker makes this test program a worker: Run starts it with this argument.
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

func options(t *testing.T, b *broker.Broker, text string) loadgen.Options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenario.Parse("test", []byte("name: test\nduration: 1s\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	return loadgen.Options{
		Scenario: s, Servers: []netip.AddrPort{b.Addr()}, Worker: []string{self, asWorker},
		Target: scenario.Target{
			Name: "broker", Path: "/ws", Login: map[string]string{"login": "{user}"}, Rooms: scenario.RoomsNumbered,
			Topic: "/topic/{room}", Send: "/topic/{room}", Body: "{payload}",
		},
		Processes: loadgen.Processes{"broker": {os.Getpid()}},
	}
}

// A whole run, with rooms that are spread over two workers.
func TestRun(t *testing.T) {
	t.Parallel()
	o := options(t, broker.New(t, nil), "connections: 30\nrooms: {size: 30, senders: 3}\nload: {rate: 50}\nwarmup: 1s")
	o.PerWorker = 20
	o.Sources = []netip.Addr{netip.MustParseAddr("127.0.0.7"), netip.MustParseAddr("127.0.0.8")}
	var progress strings.Builder
	var phases []loadgen.Phase
	o.Progress, o.OnPhase = &progress, func(p loadgen.Phase) { phases = append(phases, p) }
	got, err := loadgen.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Clean() || got.Arrival.Connects != 30 || got.Load.Counts.Deliveries == 0 || got.Load.Counts.Accepted == 0 {
		t.Errorf("faults %+v, connects %d, counts %+v", got.Faults, got.Arrival.Connects, got.Load.Counts)
	}
	if got.Load.CPU["broker"] <= 0 || got.Memory["broker"].After <= 0 || got.Load.Client <= 0 {
		t.Errorf("CPU %v, memory %v, client %g: something was not measured", got.Load.CPU, got.Memory, got.Load.Client)
	}
	if len(got.Series) == 0 || !strings.Contains(progress.String(), "measuring") || len(phases) != 4 {
		t.Errorf("%d seconds, phases %v, progress:\n%s", len(got.Series), phases, &progress)
	}
	mustReport(t, got)
}

func mustReport(t *testing.T, got *loadgen.Result) {
	t.Helper()
	var text, data, page bytes.Buffer
	for _, err := range []error{got.WriteText(&text), got.WriteJSON(&data), got.WriteHTML(&page)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"SEND to message", "lost, doubled, reordered  0, 0, 0", "memory of broker"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, &text)
		}
	}
	var again loadgen.Result
	if err := json.Unmarshal(data.Bytes(), &again); err != nil || again.Load.Counts != got.Load.Counts {
		t.Errorf("read back: %v, %+v", err, again.Load.Counts)
	}
	for _, not := range []string{"http://", "https://", "src=", "href="} {
		if strings.Contains(page.String(), not) {
			t.Errorf("the report has %s: it has to stand alone", not)
		}
	}
	if strings.Count(page.String(), "<polyline") < 8 || strings.Contains(page.String(), "NaN") {
		t.Errorf("the report lacks plots, or a number:\n%s", &page)
	}
}

// What a server loses is in the result, and the run is not clean.
func TestRunTellsOfFaults(t *testing.T) {
	t.Parallel()
	b := broker.New(t, func(_ string, n int, message []byte) [][]byte {
		if n == 3 {
			return nil
		}
		return [][]byte{message}
	})
	got, err := loadgen.Run(t.Context(), options(t, b, "connections: 4\nrooms: {size: 2, senders: 1}\nload: {rate: 40}"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Clean() || got.Faults != (swarm.Faults{Lost: 4}) {
		t.Errorf("clean %t, faults %+v; every one of 4 subscriptions lost one", got.Clean(), got.Faults)
	}
}

func TestRunsThatCannotBe(t *testing.T) {
	t.Parallel()
	b := broker.New(t, nil)
	for name, tc := range map[string]struct {
		change func(*loadgen.Options)
		want   string
	}{
		"no server":        {func(o *loadgen.Options) { o.Servers = nil }, "server"},
		"no worker":        {func(o *loadgen.Options) { o.Worker = nil }, "worker"},
		"no such worker":   {func(o *loadgen.Options) { o.Worker = []string{"/nowhere"} }, "/nowhere"},
		"worker that ends": {func(o *loadgen.Options) { o.Worker = []string{"false"} }, "worker"},
		"bad scenario":     {func(o *loadgen.Options) { o.Scenario.Connections = 0 }, "connections"},
		"spread complete":  {func(o *loadgen.Options) { o.Scenario.Load.Closed, o.PerWorker = scenario.Complete, 2 }, "complete"},
		"dead process":     {func(o *loadgen.Options) { o.Processes = loadgen.Processes{"x": {1 << 30}} }, "gone"},
		"no rooms by REST": {func(o *loadgen.Options) { o.Target.Rooms = scenario.RoomsByREST }, "make rooms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t, b, "connections: 4\nrooms: {size: 4, senders: 1}")
			tc.change(&o)
			if _, err := loadgen.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q in it", err, tc.want)
			}
		})
	}
}

// The percentiles of a distribution that is known are what they should be.
func TestPercentiles(t *testing.T) {
	t.Parallel()
	h := swarm.NewHistogram()
	for _, us := range rand.Perm(100_000) {
		if err := h.RecordValue(int64(us + 1)); err != nil {
			t.Fatal(err)
		}
	}
	got := loadgen.Percent(h)
	for name, pair := range map[string][2]float64{
		"mean": {got.Mean, 50}, "p50": {got.P50, 50}, "p90": {got.P90, 90}, "p99": {got.P99, 99},
		"p99.9": {got.P999, 99.9}, "max": {got.Max, 100},
	} {
		if math.Abs(pair[0]-pair[1]) > pair[1]/500 {
			t.Errorf("%s is %g ms, want %g", name, pair[0], pair[1])
		}
	}
	if empty := loadgen.Percent(swarm.NewHistogram()); empty != (loadgen.Percentiles{}) {
		t.Errorf("percentiles of nothing: %+v", empty)
	}
}

func TestLook(t *testing.T) {
	t.Parallel()
	me := loadgen.Processes{"me": {os.Getpid()}, "twice": {os.Getpid(), os.Getpid()}}
	before, err := loadgen.Look(me)
	if err != nil {
		t.Fatal(err)
	}
	if before["me"].RSS < 1<<20 || before["twice"].RSS < 3*before["me"].RSS/2 {
		t.Errorf("memory %d and %d of the same process twice", before["me"].RSS, before["twice"].RSS)
	}
	limit := time.Now().Add(time.Minute)
	for x := 0; ; x++ {
		after, err := loadgen.Look(me)
		if err != nil {
			t.Fatal(err)
		}
		if after["me"].CPU > before["me"].CPU {
			return
		}
		if time.Now().After(limit) {
			t.Fatal("a busy process uses no CPU")
		}
	}
}
