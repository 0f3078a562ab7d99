package postgres

import (
	"errors"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// repeatsWatch is how many appends look client message ids up after one that met a repeat: repeats come together, when
// clients that have lost their gateway send again what was not acknowledged.
const repeatsWatch = 256

// uniqueViolation is the SQLSTATE of a row whose key is there already. Of an append it means a repeat: places in logs
// are given under the lock of the head.
const uniqueViolation = "23505"

// repeats says whether repeats are to be expected. Safe for concurrent use.
type repeats struct{ watch atomic.Int32 }

// expected says whether the next append is to look client message ids up.
func (r *repeats) expected() bool {
	left := r.watch.Load()
	return left > 0 && r.watch.CompareAndSwap(left, left-1)
}

// watched says whether repeats are expected, without counting.
func (r *repeats) watched() bool { return r.watch.Load() > 0 }

// met notes that there was one.
func (r *repeats) met() { r.watch.Store(repeatsWatch) }

// storedAlready says whether an append failed because one of its client message ids is stored.
func storedAlready(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == uniqueViolation
}

// mayBeRepeats says whether the outcome of an append could be another if its client message ids had been looked up: a
// repeat is answered as the first time, also when its sender may do nothing there any more.
func mayBeRepeats(appended chat.Appended, units [][]chat.Draft) bool {
	for i := range appended.Outcomes {
		if appended.Outcomes[i].Err == nil {
			continue
		}
		for j := range units[i] {
			if units[i][j].ClientMessageID != "" {
				return true
			}
		}
	}
	return false
}
