package postgres_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/fliliy/chat/chatsvc/internal/store/postgres"
	"github.com/fliliy/chat/chatsvc/pgtest"
)

// TestRevisionsAreLookups holds the plans of what runs under the lock of a log's head: no statement may read a log, or
// the whole table, to find a message or its edits.
func TestRevisionsAreLookups(t *testing.T) {
	t.Parallel()
	conn := pgtest.Connect(t, server.NewDatabase(t))
	for _, setting := range postgres.LookupsOnly {
		execute(t, conn, "SET "+setting+" = off")
	}
	execute(t, conn, "SET plan_cache_mode = force_generic_plan")
	for name, statement := range postgres.Revisions {
		execute(t, conn, "PREPARE "+name+" ("+statement.Arguments+") AS "+statement.SQL)
		rows, err := conn.Query(t.Context(), "EXPLAIN EXECUTE "+name+" ("+statement.Values+")", pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Fatalf("explain %s: %v", name, err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("explain %s: %v", name, err)
		}
		plan := strings.Join(lines, "\n")
		column := "(seq = "
		if name == "blankEdits" {
			column = "(target_seq = "
		}
		if !strings.Contains(plan, "Index Cond: ((log_id = ") || !strings.Contains(plan, column) ||
			strings.Contains(plan, "Seq Scan") {
			t.Errorf("%s does more than look up:\n%s", name, plan)
		}
	}
}
