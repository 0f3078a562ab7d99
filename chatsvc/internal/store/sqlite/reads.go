package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// Heads implements chat.LogStore.
func (s *Store) Heads(ctx context.Context, logs []chat.LogRef) ([]chat.Head, error) {
	type question struct {
		Room int64  `json:"r"`
		User string `json:"u"`
	}
	questions := make([]question, len(logs))
	for i, log := range logs {
		questions[i] = question{log.Room, log.User}
	}
	rows, err := s.reader.QueryContext(ctx, `SELECT coalesce(l.head_seq, 0)
		FROM json_each(?) q
		LEFT JOIN inboxes i ON i.user_id = q.value ->> 'u' AND i.user_id <> ''
		LEFT JOIN logs l ON l.log_id = CASE WHEN q.value ->> 'u' = '' THEN q.value ->> 'r' ELSE i.log_id END
		ORDER BY q.key`, list(questions))
	seqs, err := collect(rows, err, func(scan func(...any) error) (seq int64, err error) {
		err = scan(&seq)
		return seq, err
	})
	if err != nil {
		return nil, classify(err)
	}
	heads := make([]chat.Head, len(logs))
	for i := range seqs {
		heads[i] = chat.Head{Log: logs[i], Seq: seqs[i]}
	}
	return heads, nil
}

// RecentHeads implements publish.Changes.
func (s *Store) RecentHeads(ctx context.Context, window time.Duration) ([]chat.Head, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT l.log_id, l.head_seq, coalesce(i.user_id, '')
		FROM logs l LEFT JOIN inboxes i ON i.log_id = l.log_id
		WHERE l.changed_at > ? AND l.head_seq > 0`, now().Add(-window).UnixMicro())
	heads, err := collect(rows, err, func(scan func(...any) error) (chat.Head, error) {
		var h chat.Head
		err := scan(&h.Log.Room, &h.Seq, &h.Log.User)
		if h.Log.User != "" {
			h.Log.Room = 0
		}
		return h, err
	})
	return heads, classify(err)
}

const readEvents = `
	SELECT log_id, seq, kind, sender_id, coalesce(client_message_id, ''), type, coalesce(title, ''), content,
		attachment, at, coalesce(target_seq, 0), edited_at, recalled_by IS NOT NULL
	FROM events WHERE log_id = ?1 AND seq > ?2 AND (?3 = 0 OR seq < ?3) ORDER BY seq `

// Events implements chat.LogStore.
func (s *Store) Events(ctx context.Context, log chat.LogRef, stretch chat.Stretch) ([]chat.Event, error) {
	id := log.Room
	if log.User != "" {
		var err error
		if id, err = findInbox(ctx, s.reader, log.User); err != nil {
			return nil, classify(err)
		}
	}
	direction := "ASC"
	if stretch.Newest {
		direction = "DESC"
	}
	rows, err := s.reader.QueryContext(ctx, readEvents+direction+` LIMIT ?4`, id, stretch.After, stretch.Before,
		stretch.Limit)
	events, err := collect(rows, err, func(scan func(...any) error) (chat.Event, error) {
		var e chat.Event
		var attachment []byte
		err := scan(&e.LogID, &e.Seq, &e.Kind, &e.UserID, &e.ClientMessageID, &e.Type, &e.Title, &e.Content,
			&attachment, scanTime{&e.At}, &e.Target, scanTime{&e.EditedAt}, &e.Recalled)
		e.Attachment = attachment
		complete(&e, log)
		return e, err
	})
	if stretch.Newest {
		slices.Reverse(events)
	}
	return events, classify(err)
}

// querier is a transaction or a pool.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// findInbox returns the log id of a user's inbox, or 0.
func findInbox(ctx context.Context, q querier, user string) (int64, error) {
	var id int64
	err := q.QueryRowContext(ctx, `SELECT log_id FROM inboxes WHERE user_id = ?`, user).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return id, err
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
