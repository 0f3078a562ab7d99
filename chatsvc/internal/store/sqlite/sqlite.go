// Package sqlite is the store in one SQLite file: rooms, members, logs and marks without a server, for one machine.
// It does what the ports of package chat and the batcher of package commit ask, as package postgres does, and decides
// nothing itself. The facade opens it.
//
// One connection writes and a pool reads beside it (WAL). A commit returns when it is on the disk (synchronous FULL):
// an acknowledged message survives a power cut.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver
)

//go:embed migrations/*.sql
var migrations embed.FS

// Options are what a store can be told. The zero value has the defaults.
type Options struct {
	MaxReaders  int           // connections that read; 0 is 8
	BusyTimeout time.Duration // how long a writer waits for another process that writes to the file; 0 is 4 s
}

// Store is the store. Safe for concurrent use.
type Store struct {
	writer *sql.DB
	reader *sql.DB
}

// Open opens the file, makes it and its folder where there is none, and brings its schema up to date; several processes
// may do so at once. The caller calls Close.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	if path == "" {
		return nil, errors.New("open store: the path of the SQLite file is empty")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("open store: make the folder: %w", err)
	}
	if opts.MaxReaders <= 0 {
		opts.MaxReaders = 8
	}
	if opts.BusyTimeout <= 0 {
		opts.BusyTimeout = 4 * time.Second
	}
	writer, err := sql.Open("sqlite", dsn(path, opts, url.Values{"_txlock": {"immediate"}}))
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	writer.SetMaxOpenConns(1)
	// The first connection to a new file changes how it is kept, which like a migration is for one at a time.
	if err := alone(ctx, path, func() error { return migrate(ctx, writer) }); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", path, err), writer.Close())
	}
	reader, err := sql.Open("sqlite", dsn(path, opts, url.Values{"_query_only": {"true"}}))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), writer.Close())
	}
	reader.SetMaxOpenConns(opts.MaxReaders)
	reader.SetMaxIdleConns(opts.MaxReaders)
	return &Store{writer: writer, reader: reader}, nil
}

// Close closes the file; calls under way end first.
func (s *Store) Close() {
	_ = s.reader.Close()
	_ = s.writer.Close()
}

// Ping says whether the file can be read.
func (s *Store) Ping(ctx context.Context) error {
	if _, err := s.Member(ctx, 0, ""); err != nil {
		return fmt.Errorf("ping the database: %w", err)
	}
	return nil
}

func dsn(path string, opts Options, query url.Values) string {
	query["_pragma"] = []string{
		fmt.Sprintf("busy_timeout(%d)", opts.BusyTimeout.Milliseconds()),
		"journal_mode(WAL)", "synchronous(FULL)", "cache_size(-32000)",
	}
	file := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}
	return file.String()
}

func migrate(ctx context.Context, db *sql.DB) error {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, folder)
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}
