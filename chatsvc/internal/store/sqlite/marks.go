package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

const moveRead = `
	UPDATE members SET read_seq = target.seq
	FROM (SELECT CASE WHEN ?3 = 0 THEN head_seq ELSE min(?3, head_seq) END AS seq FROM logs WHERE log_id = ?1) target
	WHERE room_id = ?1 AND user_id = ?2 AND read_seq < target.seq`

const moveDelivered = `
	UPDATE members SET delivered_seq = target.seq
	FROM (SELECT min(?3, head_seq) AS seq FROM logs WHERE log_id = ?1) target
	WHERE room_id = ?1 AND user_id = ?2 AND max(read_seq, delivered_seq) < target.seq`

// MarkRead implements chat.MarkStore.
func (s *Store) MarkRead(ctx context.Context, room int64, user string, seq int64) (chat.Mark, error) {
	mark, member, err := s.mark(ctx, moveRead, room, user, seq)
	mark.Seq = member.LastRead
	return mark, err
}

// MarkDelivered implements chat.MarkStore.
func (s *Store) MarkDelivered(ctx context.Context, room int64, user string, seq int64) (chat.Mark, error) {
	mark, member, err := s.mark(ctx, moveDelivered, room, user, seq)
	mark.Seq = member.LastDelivered
	return mark, err
}

// mark moves a mark and returns the member as it is then.
func (s *Store) mark(ctx context.Context, move string, room int64, user string, seq int64,
) (mark chat.Mark, member chat.Member, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		moved, err := tx.ExecContext(ctx, move, room, user, seq)
		if err != nil {
			return fmt.Errorf("move the mark: %w", err)
		}
		count, err := moved.RowsAffected()
		if err != nil {
			return err
		}
		member, err = scanMember(tx.QueryRowContext(ctx, `SELECT `+memberColumns+` FROM members
			WHERE room_id = ? AND user_id = ?`, room, user).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the member: %w", err)
		}
		mark.Member, mark.Moved, mark.At = true, count > 0, now()
		return tx.QueryRowContext(ctx, `SELECT member_count > ? FROM logs WHERE log_id = ?`, chat.MaxLive, room).
			Scan(&mark.Large)
	})
	return mark, member, err
}
