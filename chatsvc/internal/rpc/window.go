package rpc

import (
	"context"
	"sync"
)

// window bounds what is under way on one relay stream, by number and by bytes. One goroutine acquires.
type window struct {
	commands, bytes int // limits

	mu      sync.Mutex
	count   int
	size    int
	changed chan struct{} // holds a token when something was released
}

func newWindow(commands, bytes int) *window {
	return &window{commands: commands, bytes: bytes, changed: make(chan struct{}, 1)}
}

// acquire waits until there is room for a command of that size; one over the limit gets in when it is alone.
func (w *window) acquire(ctx context.Context, size int) error {
	for !w.try(size) {
		select {
		case <-w.changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (w *window) try(size int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count >= w.commands || w.count > 0 && w.size+size > w.bytes {
		return false
	}
	w.count++
	w.size += size
	return true
}

func (w *window) release(count, size int) {
	w.mu.Lock()
	w.count -= count
	w.size -= size
	w.mu.Unlock()
	select {
	case w.changed <- struct{}{}:
	default:
	}
}
