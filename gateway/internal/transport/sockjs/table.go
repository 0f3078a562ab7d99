package sockjs

import (
	"context"
	"sync"
)

// table holds the sessions that live here, by name.
type table struct {
	mu      sync.Mutex
	entries map[string]*entry
}

// entry is a session, or one that is being opened.
type entry struct {
	settled chan struct{} // closed once conn is final
	conn    *Conn         // nil: it was not opened here
}

// find returns a session that lives here, nil without one. It waits while one is being opened.
func (t *table) find(ctx context.Context, name string) *Conn {
	t.mu.Lock()
	e := t.entries[name]
	t.mu.Unlock()
	if e == nil {
		return nil
	}
	select {
	case <-e.settled:
		return e.conn
	case <-ctx.Done():
		return nil
	}
}

// reserve begins to open a session; false when it is there already, or another request is about to open it.
func (t *table) reserve(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.entries[name] != nil {
		return false
	}
	t.entries[name] = &entry{settled: make(chan struct{})}
	return true
}

// settle ends what reserve began; without a session the name is free again.
func (t *table) settle(name string, c *Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[name]
	e.conn = c
	close(e.settled)
	if c == nil {
		delete(t.entries, name)
	}
}

func (t *table) remove(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.entries, name)
}
