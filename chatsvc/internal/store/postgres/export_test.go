package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// PruneDue makes the next RecentHeads throw old changes away.
func (s *Store) PruneDue() { s.pruned.Store(0) }

// Together is the gathering of questions over a query of a test's.
func Together[K, V any](query func(context.Context, []K) ([]V, error)) func(context.Context, K) (V, error) {
	return (&together[K, V]{query: query}).get
}

// ForgetRepeats makes the next append expect no repeats.
func (s *Store) ForgetRepeats() { s.repeats.watch.Store(0) }

// ExpectsRepeats says whether the next append looks client message ids up.
func (s *Store) ExpectsRepeats() bool { return s.repeats.watch.Load() > 0 }

// AppendKnown is the part of Append that takes one round trip; false when it leaves the batch to the other.
func (s *Store) AppendKnown(ctx context.Context, units [][]chat.Draft) (chat.Appended, bool, error) {
	return s.appendKnown(ctx, units)
}

// ForgetRooms makes the next append read what it needs.
func (s *Store) ForgetRooms() { s.known.forget() }

// ShiftClock lets the store err about the database's time.
func (s *Store) ShiftClock(by time.Duration) {
	s.known.mu.Lock()
	defer s.known.mu.Unlock()
	s.known.clock = s.known.clock.Add(by)
}

// Statements are those that name rooms which may be large, with their parameters as they stand in SQL.
var Statements = map[string]struct{ Text, Parameters string }{
	"entrances":            {readEntrances, `ARRAY[7, 8], ARRAY['u500', 'nobody'], 256`},
	"members of an append": {readMembers, `ARRAY[7, 8], ARRAY[7, 8], ARRAY['u500', 'nobody'], 256`},
}

// Explain runs a statement on a connection of the store, and returns its plan with what each node has read, as JSON.
func (s *Store) Explain(ctx context.Context, text, parameters string) (plan string, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "PREPARE explained AS "+text); err != nil {
		return "", err
	}
	err = conn.QueryRow(ctx, fmt.Sprintf("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE explained (%s)", parameters)).Scan(&plan)
	if err == nil {
		_, err = conn.Exec(ctx, "DEALLOCATE explained")
	}
	return plan, err
}
