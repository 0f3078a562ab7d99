package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

var errNotInstalled = errors.New("PostgreSQL is not installed: install Debian's postgresql (apt-get install postgresql)")

// programs is where PostgreSQL's programs are and who runs them.
type programs struct {
	folder     string
	credential *syscall.Credential // nil: the user of the tests
}

func findPrograms(ctx context.Context) (programs, error) {
	folder, err := programFolder(ctx)
	if err != nil || os.Getuid() != 0 {
		return programs{folder: folder}, err
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return programs{}, fmt.Errorf("PostgreSQL does not run as root, and there is no user postgres to run it: %w", err)
	}
	uid, err1 := strconv.ParseUint(account.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(account.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return programs{}, fmt.Errorf("look up user postgres: %w", err)
	}
	return programs{folder: folder, credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

// programFolder asks pg_config, which Debian installs with the headers only, and then looks where Debian installs.
func programFolder(ctx context.Context) (string, error) {
	var folders []string
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		folders = append(folders, strings.TrimSpace(string(out)))
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	folders = append(folders, found...)
	if path, err := exec.LookPath("postgres"); err == nil {
		folders = append(folders, filepath.Dir(path))
	}
	for _, folder := range folders {
		_, err1 := os.Stat(filepath.Join(folder, "initdb"))
		_, err2 := os.Stat(filepath.Join(folder, "postgres"))
		if err1 == nil && err2 == nil {
			return folder, nil
		}
	}
	return "", errNotInstalled
}

// own gives a folder to the user that runs PostgreSQL.
func (p programs) own(folder string) error {
	if p.credential == nil {
		return nil
	}
	if err := os.Chown(folder, int(p.credential.Uid), int(p.credential.Gid)); err != nil {
		return fmt.Errorf("give the folder to user postgres: %w", err)
	}
	return nil
}

func (p programs) command(name string, args ...string) *exec.Cmd {
	//nolint:gosec,noctx // the programs are PostgreSQL's own; the server outlives the context of its start
	cmd := exec.Command(filepath.Join(p.folder, name), args...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: p.credential,
		Setpgid:    true, // Ctrl-C is for the tests, which then stop the server
		Pdeathsig:  syscall.SIGQUIT,
	}
	return cmd
}

// process is a running postgres.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once it has ended
	err  error         // set before done is closed
}

// spawn starts the command on a thread of its own that lives as long as the process: the kernel sends the signal of
// a dead parent when the thread that started the process ends.
func spawn(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer close(p.done)
		p.err = cmd.Start()
		started <- p.err
		if p.err == nil {
			p.err = cmd.Wait()
		}
	}()
	return p, <-started
}

// end signals the process and waits until it is gone.
func (p *process) end(signal os.Signal) {
	_ = p.cmd.Process.Signal(signal)
	select {
	case <-p.done:
	case <-time.After(startTimeout):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// Restart starts a crashed server again, on the same data and port, and waits until it accepts connections.
func (s *Server) Restart(ctx context.Context) error {
	args := []string{
		"-D", s.data(), "-c", "port=" + strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=" + s.folder, "-c", "fsync=on", "-c", "synchronous_commit=on",
		"-c", "max_connections=200", "-c", "shared_buffers=128MB", "-c", "max_wal_size=2GB",
	}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	cmd := s.programs.command("postgres", args...)
	cmd.Stdout, cmd.Stderr = s.output, s.output
	p, err := spawn(cmd)
	if err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	s.process = p
	if err := s.waitReady(ctx); err != nil {
		s.Crash()
		return err
	}
	return nil
}

func (s *Server) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, s.url("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.process.done:
			return fmt.Errorf("postgres ended (%w):\n%s", s.process.err, s.output.tail())
		case <-ctx.Done():
			return fmt.Errorf("wait until postgres is ready: %w\n%s", err, s.output.tail())
		case <-tick.C:
		}
	}
}

// Crash stops the server at once, without a checkpoint and without a word to its clients, as when it crashes.
// What was committed is there again after Restart.
func (s *Server) Crash() {
	if s.process != nil {
		s.process.end(syscall.SIGQUIT)
		s.process = nil
	}
}

// Stop stops the server and removes its folder.
func (s *Server) Stop() error {
	s.Crash()
	if err := os.RemoveAll(s.folder); err != nil {
		return fmt.Errorf("remove the folder: %w", err)
	}
	return nil
}

// lockedBuffer keeps the server's log for error messages.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// tail returns the end of the log.
func (b *lockedBuffer) tail() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	const most = 2_000
	text := b.buf.String()
	return text[max(0, len(text)-most):]
}
