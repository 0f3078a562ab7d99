package sqlite_test

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

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

// TestStoresThatOpenANewFileTogether are as many processes that start at once.
func TestStoresThatOpenANewFileTogether(t *testing.T) {
	t.Parallel()
	for range 10 {
		path := filepath.Join(t.TempDir(), "new", "chat.db")
		stores, failures := make([]*sqlite.Store, 6), make([]error, 6)
		var group sync.WaitGroup
		for i := range stores {
			group.Go(func() { stores[i], failures[i] = sqlite.Open(t.Context(), path, sqlite.Options{}) })
		}
		group.Wait()
		for _, store := range stores {
			if store != nil {
				store.Close()
			}
		}
		if err := errors.Join(failures...); err != nil {
			t.Fatal(err)
		}
	}
}

// patience is how long a test's writer waits for another process's lock: SQLite lets waiters in by luck, not in turn, so
// that on a busy machine one may wait for long. It asserts nothing.
const patience = 2 * time.Minute

func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), path, sqlite.Options{BusyTimeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	return store
}
