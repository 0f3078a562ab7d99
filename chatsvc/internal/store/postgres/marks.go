package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

const markRead = `
	WITH target AS (
		SELECT CASE WHEN $3::bigint = 0 THEN head_seq ELSE least($3, head_seq) END AS seq FROM logs WHERE log_id = $1
	), moved AS (
		UPDATE members SET read_seq = target.seq FROM target
		WHERE room_id = $1 AND user_id = $2 AND read_seq < target.seq RETURNING read_seq
	)
	SELECT coalesce((SELECT read_seq FROM moved), m.read_seq), EXISTS (SELECT FROM moved), clock_timestamp(),
		(SELECT member_count FROM logs WHERE log_id = $1)
	FROM members m WHERE m.room_id = $1 AND m.user_id = $2`

const markDelivered = `
	WITH target AS (
		SELECT least($3::bigint, head_seq) AS seq FROM logs WHERE log_id = $1
	), moved AS (
		UPDATE members SET delivered_seq = target.seq FROM target
		WHERE room_id = $1 AND user_id = $2 AND greatest(read_seq, delivered_seq) < target.seq RETURNING delivered_seq
	)
	SELECT coalesce((SELECT delivered_seq FROM moved), greatest(m.read_seq, m.delivered_seq)),
		EXISTS (SELECT FROM moved), clock_timestamp(), (SELECT member_count FROM logs WHERE log_id = $1)
	FROM members m WHERE m.room_id = $1 AND m.user_id = $2`

// MarkRead implements chat.MarkStore. It takes no lock of the head: a mark that meets a new event at the same moment
// may stand before it.
func (s *Store) MarkRead(ctx context.Context, room int64, user string, seq int64) (chat.Mark, error) {
	return s.mark(ctx, markRead, room, user, seq)
}

// MarkDelivered implements chat.MarkStore.
func (s *Store) MarkDelivered(ctx context.Context, room int64, user string, seq int64) (chat.Mark, error) {
	return s.mark(ctx, markDelivered, room, user, seq)
}

func (s *Store) mark(ctx context.Context, query string, room int64, user string, seq int64) (chat.Mark, error) {
	mark, members := chat.Mark{Member: true}, 0
	err := s.pool.QueryRow(ctx, query, room, user, seq).Scan(&mark.Seq, &mark.Moved, &mark.At, &members)
	if errors.Is(err, pgx.ErrNoRows) {
		return chat.Mark{}, nil
	}
	mark.Large = members > chat.MaxLive
	return mark, classify(err)
}
