package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// enterTarget reads what an edit or a recall is about.
func (r *ledgerReader) enterTarget(ctx context.Context, logID, seq int64) error {
	var t chat.Target
	err := r.tx.QueryRowContext(ctx, `SELECT kind, sender_id, type, content, at, coalesce(edited_by, 0),
			coalesce(recalled_by, 0)
		FROM events WHERE log_id = ? AND seq = ?`, logID, seq).
		Scan(&t.Kind, &t.SenderID, &t.Type, &t.Content, scanTime{&t.At}, &t.EditedBy, &t.RecalledBy)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		r.ledger.AddTarget(logID, seq, t)
	}
	return err
}

const reviseMessage = `
	UPDATE events SET content = ?3, edited_by = nullif(?4, 0), edited_at = coalesce(?5, edited_at),
		recalled_by = nullif(?6, 0), attachment = CASE WHEN ?6 > 0 THEN NULL ELSE attachment END
	WHERE log_id = ?1 AND seq = ?2`

// blankEdits takes the content of the edits of a recalled message out.
const blankEdits = `
	UPDATE events SET content = '', recalled_by = ?3 WHERE log_id = ?1 AND target_seq = ?2 AND kind = 'EDITED'`

// reviseMessages does to targets, which may have been inserted just before, what edits and recalls say.
func reviseMessages(ctx context.Context, tx *sql.Tx, revised []chat.Revision) error {
	for _, r := range revised {
		var edited *int64
		if !r.EditedAt.IsZero() {
			micros := r.EditedAt.UnixMicro()
			edited = &micros
		}
		_, err := tx.ExecContext(ctx, reviseMessage, r.LogID, r.Seq, r.Content, r.EditedBy, edited, r.RecalledBy)
		if err == nil && r.RecalledBy > 0 && r.EditedBy > 0 {
			_, err = tx.ExecContext(ctx, blankEdits, r.LogID, r.Seq, r.RecalledBy)
		}
		if err != nil {
			return fmt.Errorf("revise a message: %w", err)
		}
	}
	return nil
}
