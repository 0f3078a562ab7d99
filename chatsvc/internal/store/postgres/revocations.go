package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

const revocationColumns = `number, user_id, issued_before, reason, until`

func scanRevocation(row pgx.CollectableRow) (chat.Revocation, error) {
	var r chat.Revocation
	err := row.Scan(&r.Number, &r.UserID, &r.IssuedBefore, &r.Reason, &r.Until)
	return r, err
}

// A revocation that does not reach further than the one that stands changes nothing. "Now" is the next whole second: a
// token of this very second may have been issued before.
const revoke = `
	INSERT INTO revocations (number, user_id, issued_before, reason, until)
	SELECT nextval('revocation_numbers'), $1, asked.before, $3, asked.before + $4::interval
	FROM (SELECT coalesce($2, date_trunc('second', clock_timestamp()) + interval '1 second') AS before) asked
	ON CONFLICT (user_id) DO UPDATE SET number = excluded.number, issued_before = excluded.issued_before,
		reason = excluded.reason, until = excluded.until
	WHERE revocations.issued_before < excluded.issued_before
	RETURNING ` + revocationColumns

// Revoke implements chat.RevocationStore. One transaction at a time writes, so that numbers are committed in their order:
// a gateway that has seen one has seen all lower ones. What is of no use any more goes at the same time.
func (s *Store) Revoke(ctx context.Context, ask chat.RevocationAsk) (revoked chat.Revocation, err error) {
	var before any // NULL for now
	if !ask.IssuedBefore.IsZero() {
		before = ask.IssuedBefore
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `LOCK TABLE revocations IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return fmt.Errorf("lock revocations: %w", err)
		}
		if _, err := tx.Exec(ctx, `DELETE FROM revocations WHERE until < clock_timestamp()`); err != nil {
			return fmt.Errorf("forget revocations: %w", err)
		}
		rows, err := tx.Query(ctx, revoke, ask.UserID, before, ask.Reason, ask.TokenLife)
		if err != nil {
			return fmt.Errorf("store the revocation: %w", err)
		}
		revoked, err = pgx.CollectExactlyOneRow(rows, scanRevocation)
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		rows, err = tx.Query(ctx, `SELECT `+revocationColumns+` FROM revocations WHERE user_id = $1`, ask.UserID)
		if err != nil {
			return fmt.Errorf("read the revocation that stands: %w", err)
		}
		revoked, err = pgx.CollectExactlyOneRow(rows, scanRevocation)
		return err
	})
	return revoked, err
}

// Revocations implements chat.RevocationStore.
func (s *Store) Revocations(ctx context.Context, after int64, limit int) (page []chat.Revocation, head int64, err error) {
	err = s.pool.QueryRow(ctx, `SELECT coalesce(max(number), 0) FROM revocations`).Scan(&head)
	if err != nil {
		return nil, 0, classify(err)
	}
	rows, err := s.pool.Query(ctx, `SELECT `+revocationColumns+` FROM revocations
		WHERE number > $1 AND until >= clock_timestamp() ORDER BY number LIMIT $2`, after, limit)
	if err != nil {
		return nil, 0, classify(err)
	}
	page, err = pgx.CollectRows(rows, scanRevocation)
	return page, head, classify(err)
}
