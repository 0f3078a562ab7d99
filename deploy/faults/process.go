package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// stopTimeout is how long a process may take to end by itself before it is killed.
const stopTimeout = 30 * time.Second

// errNotRunning answers a signal to a process that is down.
var errNotRunning = errors.New("the process is not running")

// process is a child of ours that is started, hurt and started again under one name. What it writes is appended to a
// log file. Its methods are safe for concurrent use.
type process struct {
	name    string
	command []string // program and arguments
	env     []string // besides PATH and HOME
	logFile string

	mu      sync.Mutex
	running *os.Process   // nil while it is down
	gone    chan struct{} // closed when the newest one has ended
}

func newProcess(folder, name string, command, env []string) *process {
	gone := make(chan struct{})
	close(gone)
	return &process{name: name, command: command, env: env, logFile: filepath.Join(folder, name+".log"), gone: gone}
}

// start runs the process; it does not wait until it serves. The kernel kills it when this process ends in any way:
// that promise is about the thread that started it, which therefore is kept for it alone.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil {
		return fmt.Errorf("start %s: it runs already", p.name)
	}
	log, err := os.OpenFile(p.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", p.name, err)
	}
	//nolint:gosec // G204: programs and arguments are this package's own
	cmd := exec.CommandContext(context.Background(), p.command[0], p.command[1:]...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, p.env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = orphansDie()
	started, gone := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer log.Close()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // how it ended is in its log
		p.mu.Lock()
		p.running = nil
		p.mu.Unlock()
		close(gone)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.running, p.gone = cmd.Process, gone
	return nil
}

// exited is closed once the process that was started last has ended.
func (p *process) exited() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone
}

// alive says whether the process runs (or is stopped by a signal).
func (p *process) alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running != nil
}

// signal sends a signal to the process.
func (p *process) signal(sig syscall.Signal) error {
	p.mu.Lock()
	running := p.running
	p.mu.Unlock()
	if running == nil {
		return fmt.Errorf("signal %s: %w", p.name, errNotRunning)
	}
	if err := running.Signal(sig); err != nil {
		return fmt.Errorf("signal %s: %w", p.name, err)
	}
	return nil
}

// kill ends the process at once (SIGKILL) and waits until it is gone. A process that is down stays so.
func (p *process) kill() {
	_ = p.signal(syscall.SIGKILL) // fails only when it is gone
	<-p.exited()
}

// stop asks the process to end (SIGTERM), waits for it, and kills it when it takes too long.
func (p *process) stop() error {
	gone := p.exited()
	if err := p.signal(syscall.SIGTERM); errors.Is(err, errNotRunning) {
		return nil
	}
	limit := time.NewTimer(stopTimeout)
	defer limit.Stop()
	select {
	case <-gone:
		return nil
	case <-limit.C:
		p.kill()
		return fmt.Errorf("%s did not end within %v of SIGTERM and was killed; see %s", p.name, stopTimeout, p.logFile)
	}
}

// logEnd returns the end of the log, for error messages.
func (p *process) logEnd() string {
	const most = 2_000
	text, err := os.ReadFile(p.logFile)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}
