package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// inTx runs do in a transaction that has the right to write from its beginning, and commits it.
func (s *Store) inTx(ctx context.Context, do func(tx *sql.Tx) error) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return classify(fmt.Errorf("begin: %w", err))
	}
	if err := do(tx); err != nil {
		_ = tx.Rollback()
		return classify(err)
	}
	if err := tx.Commit(); err != nil {
		_ = tx.Rollback()
		return classify(fmt.Errorf("commit: %w", err))
	}
	return nil
}

// classify marks errors after which the same call may succeed: another process writes, the disk is full, time ran out.
// A commit that fails has stored nothing. A refusal and nil pass as they are.
func classify(err error) error {
	if err == nil || !transient(err) {
		return err
	}
	return fmt.Errorf("%w: %w", chat.ErrTransient, err)
}

func transient(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, sql.ErrTxDone) { // the context ended, and the transaction with it
		return true
	}
	failure, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	switch failure.Code() & 0xFF {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_INTERRUPT:
		return true
	}
	return false
}

// now is the time of the database, which is this machine's.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// scanTime reads microseconds; NULL is the zero time.
type scanTime struct{ at *time.Time }

// Scan implements sql.Scanner.
func (t scanTime) Scan(value any) error {
	if value == nil {
		*t.at = time.Time{}
		return nil
	}
	micros, ok := value.(int64)
	if !ok {
		return fmt.Errorf("time is a %T, want microseconds", value)
	}
	*t.at = time.UnixMicro(micros).UTC()
	return nil
}

// list makes an argument for json_each. Strings and numbers always have a JSON form.
func list(values any) string {
	text, err := json.Marshal(values)
	if err != nil {
		return "[]"
	}
	return string(text)
}

// collect reads all rows.
func collect[T any](rows *sql.Rows, err error, scan func(scan func(...any) error) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []T
	for rows.Next() {
		one, err := scan(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

func scanString(scan func(...any) error) (string, error) {
	var s string
	err := scan(&s)
	return s, err
}
