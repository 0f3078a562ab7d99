package postgres

// PruneDue makes the next RecentHeads throw old changes away.
func (s *Store) PruneDue() { s.pruned.Store(0) }
