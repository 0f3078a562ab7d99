package siege_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fliliy/chat/deploy/siege"
)

// A small siege: every attacker gets to the gateway and is cut by it, honest clients get in, and the report says so.
func TestRun(t *testing.T) {
	t.Parallel()
	outcomes, err := siege.Run(t.Context(), siege.Options{
		Silent: 30, Slow: 30, Pause: 100 * time.Millisecond, Abuse: time.Second, Honest: 5, Calm: time.Second, Progress: t.Output(),
		Env: []string{"FLILIY_GATEWAY_LIMIT_PRE_AUTH_TIME=1s"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(outcomes) != 3 {
		t.Fatalf("%d attacks, want 3", len(outcomes))
	}
	if o := outcomes[2]; o.Honest.Failed != 0 || o.Honest.Count == 0 || o.Gone <= 0 {
		t.Errorf("%v", &o)
	}
	for _, o := range outcomes[:2] {
		if o.Attackers != 30 || o.Refused != 0 || o.Honest.Failed != 0 || o.Honest.Count == 0 || o.Before.Count == 0 {
			t.Errorf("%v", &o)
		}
		if o.Gone < 900*time.Millisecond {
			t.Errorf("%s: the last attacker was gone after %v: not cut for its time", o.Name, o.Gone)
		}
	}
}

func TestHeld(t *testing.T) {
	t.Parallel()
	good := siege.Outcome{
		Name: "x", Attackers: 10, Cost: 10 << 10, CostBar: 15 << 10, Gone: time.Second, GoneBar: 2 * time.Second,
		Honest: siege.Latency{Count: 5, P99: time.Millisecond}, CPU: 0.04, CPUBar: 0.05,
	}
	for name, change := range map[string]func(*siege.Outcome){
		"":              func(*siege.Outcome) {},
		"refused":       func(o *siege.Outcome) { o.Refused = 1 },
		"costly":        func(o *siege.Outcome) { o.Cost = 16 << 10 },
		"busy":          func(o *siege.Outcome) { o.CPU = 0.06 },
		"never gone":    func(o *siege.Outcome) { o.Gone = time.Minute },
		"honest failed": func(o *siege.Outcome) { o.Honest.Failed = 1 },
		"honest slow":   func(o *siege.Outcome) { o.Honest.P99 = 2 * time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := good
			change(&o)
			if o.Held() != (name == "") || strings.Contains(o.String(), "MISSED") == (name == "") {
				t.Errorf("held: %v; %v", o.Held(), &o)
			}
		})
	}
}
