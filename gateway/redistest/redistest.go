// Package redistest runs a real redis-server for tests: a child process on a free loopback port, with a temporary
// folder of its own and nothing written to disk. Tests of the gateway and of deploy use it; no service does.
package redistest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	startTimeout = 15 * time.Second // of a machine that is busy with many tests
	askTimeout   = time.Second
	attempts     = 5 // a port that was free may be taken by the time Redis binds it
)

// Server is a redis-server. Its methods may be called from one goroutine at a time.
type Server struct {
	folder string
	port   int
	extra  []string // arguments

	process *os.Process   // nil while it is down
	exited  chan struct{} // closed when the process has gone
	output  *lockedBuffer
}

// Start runs an empty redis-server and returns when it answers. Whoever calls it calls Stop, also from TestMain; in a
// test New is simpler. extra are arguments beside its own; without TLS it is reached all the same.
func Start(extra ...string) (*Server, error) {
	folder, err := os.MkdirTemp("", "redistest-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for redis-server: %w", err)
	}
	s := &Server{folder: folder, extra: extra}
	for range attempts {
		if s.port, err = freePort(); err != nil {
			break
		}
		if err = s.Restart(); err == nil {
			return s, nil
		}
	}
	return nil, errors.Join(err, os.RemoveAll(folder))
}

// New is Start for a test: it fails the test if there is no server, and stops it at the test's end.
func New(tb testing.TB, extra ...string) *Server {
	tb.Helper()
	s, err := Start(extra...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Stop)
	return s
}

// Addr is host:port of the server, the same after a Restart.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL is the server's redis:// URL.
func (s *Server) URL() string { return "redis://" + s.Addr() }

// Pid is the process id, for tests that pause the server; 0 while it is down.
func (s *Server) Pid() int {
	if s.process == nil {
		return 0
	}
	return s.process.Pid
}

// Kill ends the server at once, as a crash does; all its data is lost.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	_ = s.process.Kill() // it can only have gone already
	<-s.exited
	s.process = nil
}

// Stop kills the server and removes its folder. The second and later calls do nothing.
func (s *Server) Stop() {
	s.Kill()
	_ = os.RemoveAll(s.folder) // a left-over temporary folder fails no test
}

// Restart kills the server if it runs, and starts it again, empty, on the same port.
func (s *Server) Restart() error {
	s.Kill()
	if err := s.spawn(); err != nil {
		return err
	}
	if err := s.await(); err != nil {
		s.Kill()
		return err
	}
	return nil
}

// spawn starts the process. Its thread is kept for it alone until it ends, because the kernel's promise to kill the
// child with its parent (see dieWithParent) is about the thread that started it.
func (s *Server) spawn() error {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return fmt.Errorf("start redis-server: %w; install Debian's package redis-server", err)
	}
	//nolint:gosec // G204: the program is what PATH calls redis-server, the arguments are ours
	cmd := exec.CommandContext(context.Background(), program, append([]string{
		"--bind", "127.0.0.1", "--port", strconv.Itoa(s.port), "--dir", s.folder,
		"--save", "", "--appendonly", "no", "--daemonize", "no", "--loglevel", "warning",
	}, s.extra...)...)
	s.output = &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = s.output, s.output
	cmd.SysProcAttr = dieWithParent()

	started, exited := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended shows in its output
			close(exited)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start redis-server: %w", err)
	}
	s.process, s.exited = cmd.Process, exited
	return nil
}

// await returns when our process, and not another one on that port, answers.
func (s *Server) await() error {
	deadline := time.NewTimer(startTimeout)
	defer deadline.Stop()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-s.exited:
			return fmt.Errorf("redis-server on port %d ended at once: %s", s.port, s.output)
		case <-deadline.C:
			return fmt.Errorf("redis-server on port %d does not answer after %v: %s", s.port, startTimeout, s.output)
		case <-poll.C:
			if pid, err := askPid(s.Addr()); err == nil && pid == s.process.Pid {
				return nil
			}
		}
	}
}

// askPid asks the server at addr for its process id.
func askPid(addr string) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(askTimeout)); err != nil {
		return 0, err
	}
	if _, err := conn.Write([]byte("INFO server\r\nQUIT\r\n")); err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		if pid, ok := strings.CutPrefix(lines.Text(), "process_id:"); ok {
			return strconv.Atoi(strings.TrimSpace(pid))
		}
	}
	return 0, errors.Join(errors.New("no process_id in INFO"), lines.Err())
}

func freePort() (int, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		return 0, fmt.Errorf("free port %d: %w", port, err)
	}
	return port, nil
}

// lockedBuffer is a bytes.Buffer that may be read while the process still writes.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
