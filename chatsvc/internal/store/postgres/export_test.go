package postgres

import "context"

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
