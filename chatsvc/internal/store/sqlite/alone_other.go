//go:build !unix

package sqlite

import "context"

// alone only runs do: where folders have no locks, processes must not open a new file at the same moment.
func alone(_ context.Context, _ string, do func() error) error { return do() }
