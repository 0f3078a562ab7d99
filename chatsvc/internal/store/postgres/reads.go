package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// Heads implements chat.LogStore.
func (s *Store) Heads(ctx context.Context, logs []chat.LogRef) ([]chat.Head, error) {
	if len(logs) == 1 {
		head, err := s.heads.get(ctx, logs[0])
		return []chat.Head{head}, err
	}
	heads, err := s.readHeads(ctx, logs)
	return heads, classify(err)
}

func (s *Store) readHeads(ctx context.Context, logs []chat.LogRef) ([]chat.Head, error) {
	rooms, users := make([]int64, len(logs)), make([]string, len(logs))
	for i, log := range logs {
		rooms[i], users[i] = log.Room, log.User
	}
	rows, err := s.pool.Query(ctx, `SELECT coalesce(l.head_seq, 0)
		FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY q (room_id, user_id, place)
		LEFT JOIN inboxes i ON q.user_id <> '' AND i.user_id = q.user_id
		LEFT JOIN logs l ON l.log_id = CASE WHEN q.user_id = '' THEN q.room_id ELSE i.log_id END
		ORDER BY q.place`, rooms, users)
	if err != nil {
		return nil, err
	}
	seqs, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, err
	}
	heads := make([]chat.Head, len(logs))
	for i := range seqs {
		heads[i] = chat.Head{Log: logs[i], Seq: seqs[i]}
	}
	return heads, nil
}

const readEvents = `
	SELECT log_id, seq, kind, sender_id, coalesce(client_message_id, ''), type, coalesce(title, ''), content,
		attachment, at, coalesce(target_seq, 0), edited_at, recalled_by IS NOT NULL
	FROM events WHERE log_id = $1 AND seq > $2 AND ($3 = 0 OR seq < $3) ORDER BY seq `

// Events implements chat.LogStore.
func (s *Store) Events(ctx context.Context, log chat.LogRef, stretch chat.Stretch) ([]chat.Event, error) {
	id := log.Room
	if log.User != "" {
		ids, err := s.knownInboxes(ctx, []string{log.User})
		if err != nil {
			return nil, classify(err)
		}
		id = ids[log.User]
	}
	direction := "ASC"
	if stretch.Newest {
		direction = "DESC"
	}
	rows, err := s.pool.Query(ctx, readEvents+direction+` LIMIT $4`, id, stretch.After, stretch.Before, stretch.Limit)
	if err != nil {
		return nil, classify(err)
	}
	events, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (chat.Event, error) {
		var e chat.Event
		var edited *time.Time
		err := row.Scan(&e.LogID, &e.Seq, &e.Kind, &e.UserID, &e.ClientMessageID, &e.Type, &e.Title, &e.Content,
			&e.Attachment, &e.At, &e.Target, &edited, &e.Recalled)
		if edited != nil {
			e.EditedAt = *edited
		}
		complete(&e, log)
		return e, err
	})
	if stretch.Newest {
		slices.Reverse(events)
	}
	return events, classify(err)
}

// complete fills in what follows from an event's columns.
func complete(e *chat.Event, log chat.LogRef) {
	e.Log = log
	e.MessageID = chat.MessageID(e.LogID, e.Seq)
	switch e.Kind {
	case chat.KindMember:
		e.Change, e.Type = chat.Change(e.Type), ""
	case chat.KindNotification:
		e.UserID = log.User
	}
}
