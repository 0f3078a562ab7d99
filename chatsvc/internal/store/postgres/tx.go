package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// inTx runs do in a transaction and commits it. When the commit was sent and not answered, the error is *chat.InDoubt.
func (s *Store) inTx(ctx context.Context, do func(tx pgx.Tx) error) error {
	tx, err := s.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return classify(err)
	}
	if err := do(tx); err != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = tx.Rollback(last) // a connection that cannot even roll back is closed by the pool
		return classify(err)
	}
	err = tx.Commit(ctx)
	if err == nil || answered(err) || !connectionLost(err) {
		return classify(err)
	}
	// Also of a connection that broke after the commit was sent, the driver says that it is safe to try again.
	return &chat.InDoubt{Err: err}
}

// send runs a batch, in one round trip, and reads all its results.
func send(ctx context.Context, conn *pgxpool.Conn, batch *pgx.Batch) error {
	return conn.SendBatch(ctx, batch).Close()
}

// giveBack returns a connection to the pool, without the transaction that an error left open. A connection that
// cannot even roll back is closed by the pool.
func giveBack(ctx context.Context, conn *pgxpool.Conn) {
	if status := conn.Conn().PgConn().TxStatus(); status != 'I' && !conn.Conn().IsClosed() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_, _ = conn.Exec(ctx, "rollback")
	}
	conn.Release()
}

// classify marks errors after which the same call may succeed. A refusal and nil pass as they are.
func classify(err error) error {
	if err == nil || !transient(err) {
		return err
	}
	return fmt.Errorf("%w: %w", chat.ErrTransient, err)
}

// transient says whether trying again is of use. SQLSTATE classes: 08 connection, 40 deadlock and serialization, 53
// resources, 55P03 lock, 57 operator intervention and time-outs, 25006 a server that is read-only for now, 25P03 an
// idle transaction that was ended. Whatever the server did not say itself is a lost connection or a time-out.
func transient(err error) bool {
	if _, ok := errors.AsType[*chat.Error](err); ok || errors.Is(err, pgx.ErrNoRows) {
		return false
	}
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return connectionLost(err)
	}
	for _, prefix := range []string{"08", "40", "53", "55P03", "57", "25006", "25P03"} {
		if strings.HasPrefix(pgErr.Code, prefix) {
			return true
		}
	}
	return false
}

// connectionLost tells a broken pipe from a fault of our own, such as a value that has no encoding.
func connectionLost(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	return pgconn.Timeout(err) || pgconn.SafeToRetry(err) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, context.Canceled) || networkError(err)
}

// answered says whether the server itself reported the error of a statement: then the transaction is not committed.
// A server that ends the connection (FATAL) may have done so after the commit.
func answered(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.SeverityUnlocalized == "ERROR"
}
