package fleet_test

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fliliy/chat/deploy/fleet"
)

// sleeper is a process that says a word and waits; it ends on SIGTERM.
func sleeper(t *testing.T, words string) *fleet.Process {
	t.Helper()
	p := fleet.NewProcess(t.TempDir(), "sleeper", []string{"sh", "-c", "echo " + words + "; exec sleep 600"}, nil)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func mustSay(t *testing.T, p *fleet.Process, words string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for {
		text, err := os.ReadFile(p.LogFile)
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
	mustSay(t, p, "hello\n")
	if err := p.Start(); err == nil {
		t.Error("start succeeds twice")
	}
	if p.Pid() == 0 {
		t.Error("no process id while it runs")
	}
	p.Kill()
	if p.Alive() || p.Pid() != 0 {
		t.Errorf("alive %t, pid %d after kill", p.Alive(), p.Pid())
	}
	p.Kill()
	if err := p.Signal(syscall.SIGCONT); !errors.Is(err, fleet.ErrNotRunning) {
		t.Errorf("signal to a dead process: %v", err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	mustSay(t, p, "hello\nhello\n")
}

func TestProcessIsStopped(t *testing.T) {
	t.Parallel()
	p := sleeper(t, "hello")
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if p.Alive() {
		t.Error("alive after stop")
	}
	if err := p.Stop(); err != nil {
		t.Errorf("the second stop: %v", err)
	}
}

func TestProcessThatCannotStart(t *testing.T) {
	t.Parallel()
	p := fleet.NewProcess(t.TempDir(), "nothing", []string{"/nonexistent/program"}, nil)
	if err := p.Start(); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Fatalf("start = %v, want an error that names the process", err)
	}
	p.Kill()
	if err := p.Stop(); err != nil {
		t.Errorf("stop of what never ran: %v", err)
	}
}

func TestProcessEndsByItself(t *testing.T) {
	t.Parallel()
	p := fleet.NewProcess(t.TempDir(), "brief", []string{"sh", "-c", "echo $WORD"}, []string{"WORD=bye"})
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	<-p.Exited()
	if p.Alive() || p.LogEnd() != "bye\n" {
		t.Errorf("alive %t, log %q; want it to have said bye and gone", p.Alive(), p.LogEnd())
	}
}
