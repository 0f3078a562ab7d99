package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"testing"
	"time"
)

// TestStompjs runs what stompjs counts on of a broker, each behaviour as a test.
func TestStompjs(t *testing.T) {
	t.Parallel()
	runNode(t, "plain.mjs", 40)
}

// TestStompjsOwnSuite runs the suite that a stompjs brought along itself.
func TestStompjsOwnSuite(t *testing.T) {
	t.Parallel()
	runNode(t, "qunit.mjs", 38)
}

// runNode runs a script that reports {"behaviour": "" or what went wrong}, so many at least.
func runNode(t *testing.T, script string, least int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	orders, err := json.Marshal(map[string]string{"url": stomp})
	if err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(ctx, "node", script)
	node.Dir, node.Stdin = "../e2e/interop", bytes.NewReader(orders)
	var stderr bytes.Buffer
	node.Stderr = &stderr
	out, err := node.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, stderr.Bytes())
	}
	var report map[string]string
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("no report: %v\n%s", err, out)
	}
	if len(report) < least {
		t.Errorf("%d behaviours were reported, want all of them", len(report))
	}
	for behaviour, fault := range report {
		t.Run(behaviour, func(t *testing.T) {
			if fault != "" {
				verdict{t, "stompjs: " + behaviour, "what stompjs counts on"}.fails("%s", fault)
			}
		})
	}
}
