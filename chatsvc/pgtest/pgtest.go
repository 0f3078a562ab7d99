// Package pgtest starts a throw-away PostgreSQL for tests: the real server of the machine, on a free port, in a
// temporary folder, gone when the tests end. Test packages of chatsvc and deploy call it; nothing else does.
//
// Commits are as safe as in production (fsync and synchronous_commit are on), so that benchmarks and crash tests tell
// the truth.
package pgtest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	templateName = "pgtest_template"
	startTimeout = 30 * time.Second
	superuser    = "postgres"
)

// Server is a running PostgreSQL. Its methods are safe for concurrent use, except Crash, Restart and Stop, which are
// for one goroutine.
type Server struct {
	programs  programs
	folder    string // of everything, removed by Stop
	port      int
	settings  []string
	databases atomic.Int64
	cloning   sync.Mutex // a template can be cloned by one connection at a time

	process *process // nil while stopped
	output  *lockedBuffer
}

// Option changes how Start sets a server up.
type Option func(*options)

type options struct {
	settings []string
	fill     func(ctx context.Context, url string) error
}

// WithSetting adds a server setting, such as "fsync=off".
func WithSetting(setting string) Option {
	return func(o *options) { o.settings = append(o.settings, setting) }
}

// WithTemplate fills the database that NewDatabase clones, for example by migrations. Without it, clones are empty.
func WithTemplate(fill func(ctx context.Context, url string) error) Option {
	return func(o *options) { o.fill = fill }
}

// Main starts a server, runs the tests with it and stops it: the whole of a TestMain. It does not return.
func Main(m *testing.M, server **Server, opts ...Option) {
	os.Exit(run(m, server, opts))
}

func run(m *testing.M, server **Server, opts []Option) int {
	s, err := Start(context.Background(), opts...)
	if err != nil {
		fmt.Fprintln(os.Stderr, "start PostgreSQL for the tests:", err)
		return 1
	}
	*server = s
	code := m.Run()
	if err := s.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop PostgreSQL of the tests:", err)
		return max(code, 1)
	}
	return code
}

// Start sets up and starts a server within 30 seconds. As root it runs as the user postgres, since PostgreSQL refuses
// root. The caller calls Stop.
func Start(ctx context.Context, opts ...Option) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	o := options{}
	for _, opt := range opts {
		opt(&o)
	}
	programs, err := findPrograms(ctx)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "pgtest-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	s := &Server{programs: programs, folder: folder, settings: o.settings, output: new(lockedBuffer)}
	if err := s.setUp(ctx, o.fill); err != nil {
		_ = s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Server) setUp(ctx context.Context, fill func(context.Context, string) error) error {
	if err := s.programs.own(s.folder); err != nil {
		return err
	}
	initdb := s.programs.command("initdb", "-D", s.data(), "-U", superuser, "-A", "trust", "-E", "UTF8",
		"--locale=C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, bytes.TrimSpace(out))
	}
	if err := s.startOnFreePort(ctx); err != nil {
		return err
	}
	if err := s.execute(ctx, "CREATE DATABASE "+templateName); err != nil {
		return fmt.Errorf("create the template database: %w", err)
	}
	if fill == nil {
		return nil
	}
	if err := fill(ctx, s.url(templateName)); err != nil {
		return fmt.Errorf("fill the template database: %w", err)
	}
	return nil
}

// startOnFreePort tries again when another process was faster on the port that was free a moment ago.
func (s *Server) startOnFreePort(ctx context.Context) error {
	var err error
	for range 3 {
		if s.port, err = freePort(ctx); err != nil {
			return err
		}
		if err = s.Restart(ctx); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// URL is that of the server's own database, for whoever needs just one and has no testing.TB, such as a TestMain.
func (s *Server) URL() string { return s.url("postgres") }

// NewDatabase makes a fresh database, a clone of the template, and returns its URL. It goes with the server:
// to drop it would cost a checkpoint.
func (s *Server) NewDatabase(tb testing.TB) string {
	tb.Helper()
	name := "test_" + strconv.FormatInt(s.databases.Add(1), 10)
	s.cloning.Lock()
	err := s.execute(context.Background(), "CREATE DATABASE "+name+" TEMPLATE "+templateName)
	s.cloning.Unlock()
	if err != nil {
		tb.Fatalf("create a database for the test: %v", err)
	}
	return s.url(name)
}

// Connect returns a connection of a test's own, which the test's end closes.
func Connect(tb testing.TB, url string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// execute runs a statement in the maintenance database.
func (s *Server) execute(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	_, err = conn.Exec(ctx, statement)
	return err
}

func (s *Server) url(database string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", superuser, s.port, database)
}

func (s *Server) data() string { return filepath.Join(s.folder, "data") }

// Pid is the process id of the server, for who measures it; 0 while it is stopped.
func (s *Server) Pid() int {
	if s.process == nil {
		return 0
	}
	return s.process.cmd.Process.Pid
}
