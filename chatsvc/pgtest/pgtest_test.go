package pgtest_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/fliliy/chat/chatsvc/pgtest"
)

var server *pgtest.Server

func TestMain(m *testing.M) {
	pgtest.Main(m, &server, pgtest.WithTemplate(func(ctx context.Context, url string) error {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close(ctx) }()
		_, err = conn.Exec(ctx, "CREATE TABLE t (n int)")
		return err
	}))
}

func count(t *testing.T, conn *pgx.Conn) int {
	t.Helper()
	var n int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDatabasesAreClonesOfTheTemplateAndApart(t *testing.T) {
	one, two := pgtest.Connect(t, server.NewDatabase(t)), pgtest.Connect(t, server.NewDatabase(t))
	if _, err := one.Exec(t.Context(), "INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	if got := count(t, one); got != 1 {
		t.Errorf("the first database has %d rows, want 1", got)
	}
	if got := count(t, two); got != 0 {
		t.Errorf("the second database has %d rows, want 0", got)
	}
}

func TestCommitsAreSafe(t *testing.T) {
	conn := pgtest.Connect(t, server.NewDatabase(t))
	for _, setting := range []string{"fsync", "synchronous_commit"} {
		var value string
		if err := conn.QueryRow(t.Context(), "SELECT current_setting($1)", setting).Scan(&value); err != nil {
			t.Fatal(err)
		}
		if value != "on" {
			t.Errorf("%s is %s, want on", setting, value)
		}
	}
}

func TestWhatWasCommittedSurvivesACrash(t *testing.T) {
	url := server.NewDatabase(t)
	conn := pgtest.Connect(t, url)
	if _, err := conn.Exec(t.Context(), "INSERT INTO t VALUES (1), (2)"); err != nil {
		t.Fatal(err)
	}
	server.Crash()
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("the connection outlived the crash")
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := count(t, pgtest.Connect(t, url)); got != 2 {
		t.Errorf("%d rows after the crash, want 2", got)
	}
}
