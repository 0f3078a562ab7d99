package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// How long a doubt about a commit is looked into, and the pauses between two tries.
const (
	settlePatience = 5 * time.Second
	settlePause    = 50 * time.Millisecond
)

// errNotThere ends, without a trace, a transaction that found nothing.
var errNotThere = errors.New("it is not stored")

// settled turns the error of a transaction whose commit was not answered into what became of it: nil when it is stored,
// chat.ErrTransient when it is not and never will be. Other errors, and a doubt that stays, are returned as they are.
func settled(ctx context.Context, err error, there func(ctx context.Context) (bool, error)) error {
	doubt, ok := errors.AsType[*chat.InDoubt](err)
	if !ok {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, settlePatience)
	defer cancel()
	for {
		stored, err := there(ctx)
		switch {
		case err == nil && stored:
			return nil
		case err == nil:
			return fmt.Errorf("%w: %w", chat.ErrTransient, doubt.Err)
		}
		select {
		case <-time.After(settlePause):
		case <-ctx.Done():
			return doubt
		}
	}
}

// changeIsThere looks for the first event of a change of members, under the lock of the head, and so waits for a commit
// that is still under way. Whoever took the same place after a rollback has a later time.
func (s *Store) changeIsThere(ctx context.Context, first chat.Event) (there bool, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if _, _, err := lockHead(ctx, tx, first.LogID); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM events WHERE log_id = $1 AND seq = $2 AND at = $3
			AND sender_id = $4)`, first.LogID, first.Seq, first.At, first.UserID).Scan(&there)
	})
	return there, err
}

// roomIsThere looks for a new room. To take its place makes it wait for a commit that is still under way.
func (s *Store) roomIsThere(ctx context.Context, room chat.Room) (there bool, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `INSERT INTO logs (log_id, changed_at) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
			room.ID, room.CreatedAt)
		if err != nil {
			return err
		}
		if tag.RowsAffected() > 0 {
			return errNotThere // and rolls back
		}
		return tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM rooms WHERE room_id = $1 AND created_at = $2
			AND created_by = $3)`, room.ID, room.CreatedAt, room.CreatedBy).Scan(&there)
	})
	if errors.Is(err, errNotThere) {
		return false, nil
	}
	return there, err
}
