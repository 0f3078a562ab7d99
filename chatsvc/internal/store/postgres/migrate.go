package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// How often, in seconds, and how many times a replica asks whether another one has finished its migrations.
const (
	migrationPoll  = 1
	migrationPolls = 1_200
)

// migrate runs under a lock of the database, so that replicas that start together do not collide, and on a connection
// of its own, without the limits of the pool's: a migration takes the time it needs.
func migrate(ctx context.Context, url string) error {
	pool, err := pgxpool.ParseConfig(url) // which knows more parameters than the connection's own
	if err != nil {
		return fmt.Errorf("read the database URL: %w", err)
	}
	config := pool.ConnConfig
	config.ConnectTimeout = connectTimeout
	config.RuntimeParams["application_name"] = "fliliy-chatsvc migration"
	config.RuntimeParams["statement_timeout"] = "0"
	config.RuntimeParams["idle_in_transaction_session_timeout"] = "0"
	// Whoever waits for the lock of a table has all others wait behind it: rather give up, and start again later.
	config.RuntimeParams["lock_timeout"] = "3s"
	config.RuntimeParams["TimeZone"] = "UTC"
	db := stdlib.OpenDB(*config)
	defer func() { _ = db.Close() }()
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(migrationPoll, migrationPolls))
	if err != nil {
		return fmt.Errorf("make the migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, folder, goose.WithSessionLocker(locker))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}
