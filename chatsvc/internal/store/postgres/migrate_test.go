package postgres_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/store/postgres"
	"github.com/fliliy/chat/chatsvc/pgtest"
)

func TestReplicasThatStartTogetherMigrateOnce(t *testing.T) {
	t.Parallel()
	url := server.NewDatabase(t)
	execute(t, pgtest.Connect(t, url), `DROP SCHEMA public CASCADE; CREATE SCHEMA public`)
	const replicas = 4
	stores, failures := make([]*postgres.Store, replicas), make([]error, replicas)
	var group sync.WaitGroup
	for i := range replicas {
		group.Go(func() { stores[i], failures[i] = postgres.Open(t.Context(), url, postgres.Options{MaxConns: 2}) })
	}
	group.Wait()
	for _, store := range stores {
		if store != nil {
			defer store.Close()
		}
	}
	if err := errors.Join(failures...); err != nil {
		t.Fatal(err)
	}
	room := newRoom(t, stores[0])
	appended, err := stores[replicas-1].Append(t.Context(), [][]chat.Draft{say(room, "hello")})
	if err != nil || appended.Outcomes[0].Err != nil {
		t.Errorf("after the migrations: %+v, %v", appended, err)
	}
}

// TestMigrationTakesItsTime has one wait for longer than any other statement may take.
func TestMigrationTakesItsTime(t *testing.T) {
	t.Parallel()
	url := server.NewDatabase(t)
	holder := pgtest.Connect(t, url)
	execute(t, holder, `BEGIN; LOCK TABLE goose_db_version`)
	opened := make(chan error, 1)
	go func() {
		store, err := postgres.Open(t.Context(), url, postgres.Options{StatementTimeout: 100 * time.Millisecond})
		if err == nil {
			store.Close()
		}
		opened <- err
	}()
	awaitWaiter(t, pgtest.Connect(t, url))
	execute(t, holder, `SELECT pg_sleep(0.5)`)
	execute(t, holder, `COMMIT`)
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

// awaitWaiter waits until a statement waits for a lock in the connection's database.
func awaitWaiter(t *testing.T, db *pgx.Conn) {
	t.Helper()
	deadline, poll := time.After(20*time.Second), time.NewTicker(5*time.Millisecond)
	defer poll.Stop()
	for {
		var waits bool
		if err := db.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waits); err != nil {
			t.Fatal(err)
		}
		if waits {
			return
		}
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatal("no statement waits for a lock")
		}
	}
}
