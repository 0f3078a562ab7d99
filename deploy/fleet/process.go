package fleet

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

// ErrNotRunning answers a signal to a process that is down.
var ErrNotRunning = errors.New("the process is not running")

// Process is a child of ours that is started, hurt and started again under one name. What it writes is appended to a
// log file. Its methods are safe for concurrent use.
type Process struct {
	Name    string // never changes, nor does LogFile
	LogFile string // in the folder

	command []string // program and arguments
	env     []string // besides PATH and HOME

	mu      sync.Mutex
	running *os.Process   // nil while it is down
	gone    chan struct{} // closed when the newest one has ended
}

// NewProcess describes a process that does not run yet: command is the program and its arguments, env what it sees
// besides PATH and HOME.
func NewProcess(folder, name string, command, env []string) *Process {
	gone := make(chan struct{})
	close(gone)
	return &Process{Name: name, command: command, env: env, LogFile: filepath.Join(folder, name+".log"), gone: gone}
}

// Start runs the process; it does not wait until it serves. The kernel kills it when this process ends in any way:
// that promise is about the thread that started it, which therefore is kept for it alone.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil {
		return fmt.Errorf("start %s: it runs already", p.Name)
	}
	log, err := os.OpenFile(p.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", p.Name, err)
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
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	p.running, p.gone = cmd.Process, gone
	return nil
}

// Exited is closed once the process that was started last has ended.
func (p *Process) Exited() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone
}

// Pid is the process id; 0 while it is down.
func (p *Process) Pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return 0
	}
	return p.running.Pid
}

// Alive says whether the process runs (or is stopped by a signal).
func (p *Process) Alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running != nil
}

// Signal sends a signal to the process.
func (p *Process) Signal(sig syscall.Signal) error {
	p.mu.Lock()
	running := p.running
	p.mu.Unlock()
	if running == nil {
		return fmt.Errorf("signal %s: %w", p.Name, ErrNotRunning)
	}
	if err := running.Signal(sig); err != nil {
		return fmt.Errorf("signal %s: %w", p.Name, err)
	}
	return nil
}

// Kill ends the process at once (SIGKILL) and waits until it is gone. A process that is down stays so.
func (p *Process) Kill() {
	_ = p.Signal(syscall.SIGKILL) // fails only when it is gone
	<-p.Exited()
}

// Stop asks the process to end (SIGTERM), waits for it, and kills it when it takes too long.
func (p *Process) Stop() error {
	gone := p.Exited()
	if err := p.Signal(syscall.SIGTERM); errors.Is(err, ErrNotRunning) {
		return nil
	}
	limit := time.NewTimer(stopTimeout)
	defer limit.Stop()
	select {
	case <-gone:
		return nil
	case <-limit.C:
		p.Kill()
		return fmt.Errorf("%s did not end within %v of SIGTERM and was killed; see %s", p.Name, stopTimeout, p.LogFile)
	}
}

// LogEnd returns the end of the log, for error messages.
func (p *Process) LogEnd() string {
	const most = 2_000
	text, err := os.ReadFile(p.LogFile)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}
