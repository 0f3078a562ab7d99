package main

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"
)

// screen is a writer that tells when a text has been written to it.
type screen struct {
	mu    sync.Mutex
	text  bytes.Buffer
	await string
	seen  chan struct{}
}

func newScreen(await string) *screen { return &screen{await: await, seen: make(chan struct{})} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := strings.Contains(s.text.String(), s.await)
	n, err := s.text.Write(p)
	if !before && strings.Contains(s.text.String(), s.await) {
		close(s.seen)
	}
	return n, err
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// TestRunSaysHowToUseItAndStops is `make run` from its start to Ctrl-C.
func TestRunSaysHowToUseItAndStops(t *testing.T) {
	t.Parallel()
	const any = "127.0.0.1:0"
	args := []string{
		"--gateways", any + "," + any, "--gateway-admins", any, "--chatsvc", any, "--chatsvc-admin", any,
		"--nats", any, "--redis", any, "--data", t.TempDir(),
	}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out, log := newScreen("Stop with Ctrl-C."), newScreen("never")
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, args, out, log) }()
	select {
	case <-out.seen:
	case err := <-ended:
		t.Fatalf("run ended: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("not ready within a minute")
	}
	interrupt()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("run after Ctrl-C: %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("still running a minute after Ctrl-C")
	}
	for _, want := range []string{
		"http://127.0.0.1:", "ws://127.0.0.1:", "gRPC", "redis://127.0.0.1:", "nats://127.0.0.1:",
		"alice\n", "bob\n", "carol\n", "eyJ", "/api/v1/dev/token", "stopped",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output does not show %q:\n%s", want, out)
		}
	}
	if log.String() != "" {
		t.Errorf("a clean run logs nothing, but:\n%s", log)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"unknown flag": {"--nonsense"},
		"an argument":  {"start"},
	} {
		if _, err := parse(args, newScreen("never")); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
