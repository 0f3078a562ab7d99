//go:build unix

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockPoll is the pause before asking again for a lock that another process has.
const lockPoll = 20 * time.Millisecond

// alone runs do while nobody else, in this process or another one of this machine, does so for the same folder. A
// process that dies leaves no lock behind.
func alone(ctx context.Context, path string, do func() error) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("open the folder: %w", err)
	}
	defer func() { _ = folder.Close() }() // which ends the lock
	for {
		err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) //nolint:gosec // a small number
		if err == nil {
			return do()
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("lock the folder: %w", err)
		}
		select {
		case <-time.After(lockPoll):
		case <-ctx.Done():
			return fmt.Errorf("wait for another process that opens the file: %w", ctx.Err())
		}
	}
}
