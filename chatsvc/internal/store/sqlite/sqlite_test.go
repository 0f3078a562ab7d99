package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/fliliy/chat/chatsvc/internal/store/sqlite"
	"github.com/fliliy/chat/chatsvc/internal/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Exercise(t, func(t *testing.T) func() storetest.Store {
		path := filepath.Join(t.TempDir(), "a folder?#%20", "chat.db")
		return func() storetest.Store { return open(t, path) }
	}, storetest.Features{Replicas: 2, Writers: 4})
}

func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return store
}
