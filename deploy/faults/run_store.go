package faults

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// readStore reads the logs of rooms straight from PostgreSQL, in order, and the heads that the logs claim.
func readStore(ctx context.Context, url string, rooms []int64) ([]StoredEvent, map[int64]int64, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, nil, fmt.Errorf("read the store: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	rows, err := conn.Query(ctx, `SELECT log_id, seq, kind, sender_id, coalesce(client_message_id, ''),
		CASE WHEN kind = 'MEMBER' THEN type ELSE '' END FROM events WHERE log_id = ANY($1) ORDER BY log_id, seq`, rooms)
	if err != nil {
		return nil, nil, fmt.Errorf("read the events of the store: %w", err)
	}
	events, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e StoredEvent, err error) {
		err = row.Scan(&e.Room, &e.Seq, &e.Kind, &e.Sender, &e.ClientMessageID, &e.Change)
		return e, err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read the events of the store: %w", err)
	}
	rows, err = conn.Query(ctx, `SELECT log_id, head_seq FROM logs WHERE log_id = ANY($1)`, rooms)
	if err != nil {
		return nil, nil, fmt.Errorf("read the heads of the store: %w", err)
	}
	heads := make(map[int64]int64, len(rooms))
	var room, head int64
	if _, err := pgx.ForEachRow(rows, []any{&room, &head}, func() error { heads[room] = head; return nil }); err != nil {
		return nil, nil, fmt.Errorf("read the heads of the store: %w", err)
	}
	return events, heads, nil
}
