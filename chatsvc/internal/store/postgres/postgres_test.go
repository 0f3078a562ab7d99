package postgres_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/fliliy/chat/chatsvc/internal/store/postgres"
	"github.com/fliliy/chat/chatsvc/internal/store/storetest"
	"github.com/fliliy/chat/chatsvc/pgtest"
)

var server *pgtest.Server

// TestMain fills the template, so that every test gets a database whose schema is there.
func TestMain(m *testing.M) {
	pgtest.Main(m, &server, pgtest.WithTemplate(func(ctx context.Context, url string) error {
		store, err := postgres.Open(ctx, url, postgres.Options{})
		if err == nil {
			store.Close()
		}
		return err
	}))
}

func TestStore(t *testing.T) {
	storetest.Exercise(t, func(t *testing.T) func() storetest.Store {
		url := server.NewDatabase(t)
		return func() storetest.Store { return open(t, url) }
	}, storetest.Features{Replicas: 3, Writers: 4})
}

func open(t testing.TB, url string) *postgres.Store {
	t.Helper()
	store, err := postgres.Open(t.Context(), url, postgres.Options{MaxConns: 5})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func execute(t *testing.T, db *pgx.Conn, statement string) {
	t.Helper()
	if _, err := db.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
