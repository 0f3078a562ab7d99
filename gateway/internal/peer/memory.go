package peer

import (
	"sync"
	"time"
)

const (
	memoryTime = time.Minute // what nobody asks for is forgotten after one to two of these
	memorySize = 50_000      // entries of one generation
)

// memory remembers who holds sessions that live elsewhere: in two generations, of which the older one is forgotten when
// the younger is full or old. What is asked for stays young. The zero value is ready.
type memory struct {
	mu         sync.Mutex
	young, old map[string]string
	born       time.Time
}

func (m *memory) get(session string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if owner := m.young[session]; owner != "" {
		return owner
	}
	owner := m.old[session]
	if owner != "" {
		m.remember(session, owner)
	}
	return owner
}

func (m *memory) put(session, owner string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remember(session, owner)
}

func (m *memory) remember(session, owner string) {
	if now := time.Now(); m.young == nil || len(m.young) >= memorySize || now.Sub(m.born) > memoryTime {
		m.young, m.old, m.born = map[string]string{}, m.young, now
	}
	m.young[session] = owner
}

func (m *memory) forget(session string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.young, session)
	delete(m.old, session)
}
