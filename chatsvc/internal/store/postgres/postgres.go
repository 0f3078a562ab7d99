// Package postgres is the store on PostgreSQL: rooms, members, logs and marks in one database that any number of
// replicas share. It does what the ports of package chat and the batcher of package commit ask; it decides nothing
// itself: who may do what is asked of package chat, inside the transaction. The facade opens it.
package postgres

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// How long it may take to make a connection, and to find out at the start whether the server answers.
const (
	connectTimeout = 3 * time.Second
	firstAnswer    = 10 * time.Second
)

// Connections that are kept without work, and how long others are: what a rush needed is the database's again soon after.
const (
	keptConns    = 2
	connIdleTime = time.Minute
	lookForIdle  = 15 * time.Second
)

// Options are what a store can be told. The zero value has the defaults.
type Options struct {
	MaxConns         int32         // of the pool; 0 is 16
	StatementTimeout time.Duration // the server ends a statement, also one that waits for a lock; 0 is 4 s
}

// Store is the store. Safe for concurrent use.
type Store struct {
	pool      *pgxpool.Pool
	members   together[membership, chat.Member]
	entrances together[membership, entrance]
	heads     together[chat.LogRef, chat.Head]
	repeats   repeats
	known     knownRooms
	pruned    atomic.Int64 // when old changes were thrown away last, in nanoseconds since 1970
}

// Open connects to the database and brings its schema up to date; several replicas may do so at once. The error says
// when the database is not there. A migration takes as long as it needs. The caller calls Close.
func Open(ctx context.Context, url string, opts Options) (*Store, error) {
	config, err := poolConfig(url, opts)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	first, cancel := context.WithTimeout(ctx, firstAnswer)
	defer cancel()
	if err := pool.Ping(first); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open store: connect to PostgreSQL (check the database URL and that it runs): %w", err)
	}
	if err := migrate(ctx, url); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{pool: pool}
	s.members.query, s.entrances.query, s.heads.query = s.readMembers, s.readEntrances, s.readHeads
	s.pruned.Store(time.Now().UnixNano()) // not before what the last instance left behind was read
	return s, nil
}

// Close gives up the connections; calls under way end first.
func (s *Store) Close() { s.pool.Close() }

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("ping the database: %w", err)
	}
	return nil
}

// lookupsOnly are planner settings to turn off. Every statement of this package looks a bounded number of rows up by
// key. A table that grew since its statistics were taken must not tempt the planner to read it whole.
var lookupsOnly = []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"}

func poolConfig(url string, opts Options) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("open store: read the database URL: %w", err)
	}
	config.MaxConns = opts.MaxConns
	if config.MaxConns <= 0 {
		config.MaxConns = 16
	}
	config.MinConns = min(keptConns, config.MaxConns)
	config.MaxConnIdleTime, config.HealthCheckPeriod = connIdleTime, lookForIdle
	timeout := opts.StatementTimeout
	if timeout <= 0 {
		timeout = 4 * time.Second
	}
	millis := strconv.FormatInt(timeout.Milliseconds(), 10)
	config.ConnConfig.ConnectTimeout = connectTimeout
	config.ConnConfig.RuntimeParams["application_name"] = "fliliy-chatsvc"
	config.ConnConfig.RuntimeParams["statement_timeout"] = millis
	// The head locks of a replica that stopped answering in the middle of a transaction are free again after this.
	config.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = millis
	config.ConnConfig.RuntimeParams["TimeZone"] = "UTC"
	for _, name := range lookupsOnly {
		config.ConnConfig.RuntimeParams[name] = "off"
	}
	config.ConnConfig.RuntimeParams["plan_cache_mode"] = "force_generic_plan"
	return config, nil
}
