package fake

import (
	"fmt"
	"slices"
	"sync"

	"github.com/fliliy/chat/gateway/internal/event"
)

// Presence notes what it is told, by user: sessions are unguessable.
type Presence struct {
	mu    sync.Mutex
	calls []string
	open  map[string]bool
}

// Connect implements session.Presence.
func (p *Presence) Connect(session, user string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		p.open = make(map[string]bool)
	}
	p.open[session] = true
	p.calls = append(p.calls, "connect "+user)
}

// Disconnect implements session.Presence.
func (p *Presence) Disconnect(session, user string) {
	p.note(session, "disconnect %s", user)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, session)
}

// Enter implements session.Presence.
func (p *Presence) Enter(session, user string, room int64) {
	p.note(session, "enter %s %d", user, room)
}

// Leave implements session.Presence.
func (p *Presence) Leave(session, user string, room int64) {
	p.note(session, "leave %s %d", user, room)
}

// SetStatus implements session.Presence.
func (p *Presence) SetStatus(session, user, status string) {
	p.note(session, "status %s %s", user, status)
}

// note marks calls for a session that is not connected: the port's users must not make any.
func (p *Presence) note(session, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	call := fmt.Sprintf(format, args...)
	if !p.open[session] {
		call = "stray " + call
	}
	p.calls = append(p.calls, call)
}

// Calls returns what it was told, in order, as in "enter alice 42".
func (p *Presence) Calls() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// Sessions is how many are connected.
func (p *Presence) Sessions() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open)
}

// Where is session.Whereabouts: it keeps who asks until the test answers.
type Where struct {
	mu    sync.Mutex
	asked []func(*event.Event)
	calls []string
}

// Tell implements session.Whereabouts.
func (w *Where) Tell(room int64, user string, members []string, done func(*event.Event)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, done)
	w.calls = append(w.calls, fmt.Sprintf("%s %d %v", user, room, members))
}

// Answer tells all who have asked.
func (w *Where) Answer(e *event.Event) {
	w.mu.Lock()
	asked := w.asked
	w.asked = nil
	w.mu.Unlock()
	for _, done := range asked {
		done(e)
	}
}

// Calls returns who asked, in order, as in "alice 42 [alice bob]".
func (w *Where) Calls() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}
