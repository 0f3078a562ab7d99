package faults

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sleeper is a process that says a word and waits; it ends on SIGTERM.
func sleeper(t *testing.T, words string) *process {
	t.Helper()
	p := newProcess(t.TempDir(), "sleeper", []string{"sh", "-c", "echo " + words + "; exec sleep 600"}, nil)
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

func (p *process) mustSay(t *testing.T, words string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for {
		text, err := os.ReadFile(p.logFile)
		if err == nil && strings.Contains(string(text), words) {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("the log says %q, %v; want %q", text, err, words)
		}
	}
}

func TestProcessIsKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	p := sleeper(t, "hello")
	p.mustSay(t, "hello\n")
	if err := p.start(); err == nil {
		t.Error("start succeeds twice")
	}
	p.kill()
	if p.alive() {
		t.Error("alive after kill")
	}
	p.kill()
	if err := p.signal(syscall.SIGCONT); !errors.Is(err, errNotRunning) {
		t.Errorf("signal to a dead process: %v", err)
	}
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	p.mustSay(t, "hello\nhello\n")
}

func TestProcessIsStopped(t *testing.T) {
	t.Parallel()
	p := sleeper(t, "hello")
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if p.alive() {
		t.Error("alive after stop")
	}
	if err := p.stop(); err != nil {
		t.Errorf("the second stop: %v", err)
	}
}

func TestProcessThatCannotStart(t *testing.T) {
	t.Parallel()
	p := newProcess(t.TempDir(), "nothing", []string{"/nonexistent/program"}, nil)
	if err := p.start(); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Fatalf("start = %v, want an error that names the process", err)
	}
	p.kill()
	if err := p.stop(); err != nil {
		t.Errorf("stop of what never ran: %v", err)
	}
}

func TestProcessEndsByItself(t *testing.T) {
	t.Parallel()
	p := newProcess(t.TempDir(), "brief", []string{"sh", "-c", "echo $WORD"}, []string{"WORD=bye"})
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	<-p.exited()
	if p.alive() || p.logEnd() != "bye\n" {
		t.Errorf("alive %t, log %q; want it to have said bye and gone", p.alive(), p.logEnd())
	}
}
