package faults_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fliliy/chat/deploy/faults"
)

// logLines shows the progress of a run in the test's log.
type logLines struct{ t *testing.T }

func (l logLines) Write(line []byte) (int, error) {
	l.t.Log(strings.TrimRight(string(line), "\n"))
	return len(line), nil
}

// TestPromisesHoldUnderFaults is a small run with a fixed seed: real processes, each of the quick faults once. It
// looks at the promises only; figures are for `make faults` on a machine that does nothing else.
func TestPromisesHoldUnderFaults(t *testing.T) {
	t.Parallel()
	o := faults.Default()
	o.Seed, o.Duration, o.Rows = 20261123, time.Second, []int{1, 2, 3, 4, 7, 18, 19, 20, 22, 24, 26}
	o.Clients, o.Rooms, o.RoomsEach, o.Rate, o.Progress = 24, 8, 3, 60, logLines{t}
	result, err := faults.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := result.Write(&text); err != nil {
		t.Fatal(err)
	}
	t.Log(text.String())
	if !result.Kept() {
		t.Errorf("a promise was broken; logs in %s", result.Logs)
	}
	if len(result.Rows) != len(o.Rows) {
		t.Errorf("%d of %d faults were made", len(result.Rows), len(o.Rows))
	}
	if result.Report.Acked == 0 || result.Report.Deliveries == 0 {
		t.Errorf("%d messages acknowledged, %d deliveries: the run shows nothing", result.Report.Acked, result.Report.Deliveries)
	}
}

func TestRunRefusesSenselessOptions(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*faults.Options){
		"no clients":  func(o *faults.Options) { o.Clients = 0 },
		"no rooms":    func(o *faults.Options) { o.Rooms = 0 },
		"no rate":     func(o *faults.Options) { o.Rate = 0 },
		"no time":     func(o *faults.Options) { o.Duration = 0 },
		"one gateway": func(o *faults.Options) { o.Gateways = 1 },
		"one replica": func(o *faults.Options) { o.Replicas = 1 },
		"no faults":   func(o *faults.Options) { o.Rows = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := faults.Default()
			spoil(&o)
			if _, err := faults.Run(t.Context(), o); err == nil {
				t.Error("no error")
			}
		})
	}
}
