package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

const revocationColumns = `number, user_id, issued_before, reason, until`

func scanRevocation(scan func(...any) error) (chat.Revocation, error) {
	var r chat.Revocation
	err := scan(&r.Number, &r.UserID, scanTime{&r.IssuedBefore}, &r.Reason, scanTime{&r.Until})
	return r, err
}

// Revoke implements chat.RevocationStore. "Now" is the next whole second: a token of this very second may have been
// issued before. What is of no use any more goes at the same time.
func (s *Store) Revoke(ctx context.Context, ask chat.RevocationAsk) (revoked chat.Revocation, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM revocations WHERE until < ?`, now().UnixMicro()); err != nil {
			return fmt.Errorf("forget revocations: %w", err)
		}
		before := ask.IssuedBefore
		if before.IsZero() {
			before = now().Truncate(time.Second).Add(time.Second)
		}
		revoked, err = scanRevocation(tx.QueryRowContext(ctx, `SELECT `+revocationColumns+` FROM revocations
			WHERE user_id = ?`, ask.UserID).Scan)
		if err == nil && !revoked.IssuedBefore.Before(before) {
			return nil
		}
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("read the revocation that stands: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM revocations WHERE user_id = ?`, ask.UserID); err != nil {
			return fmt.Errorf("replace the revocation: %w", err)
		}
		revoked, err = scanRevocation(tx.QueryRowContext(ctx, `INSERT INTO revocations (user_id, issued_before, reason, until)
			VALUES (?, ?, ?, ?) RETURNING `+revocationColumns, ask.UserID, before.UnixMicro(), ask.Reason,
			before.Add(ask.TokenLife).UnixMicro()).Scan)
		return err
	})
	return revoked, err
}

// Revocations implements chat.RevocationStore.
func (s *Store) Revocations(ctx context.Context, after int64, limit int) (page []chat.Revocation, head int64, err error) {
	err = s.reader.QueryRowContext(ctx, `SELECT coalesce(max(number), 0) FROM revocations`).Scan(&head)
	if err != nil {
		return nil, 0, classify(err)
	}
	rows, err := s.reader.QueryContext(ctx, `SELECT `+revocationColumns+` FROM revocations
		WHERE number > ? AND until >= ? ORDER BY number LIMIT ?`, after, now().UnixMicro(), limit)
	page, err = collect(rows, err, scanRevocation)
	return page, head, classify(err)
}
