package fake

import "context"

// Waiting is a Conn whose session needs no goroutine to wait with: it implements session.Waiter and session.Yielder.
type Waiting struct {
	*Conn
	next []byte // what came while nobody read; belongs to who reads
}

// CanAwait implements session.Waiter.
func (*Waiting) CanAwait() bool { return true }

// Poll implements session.Waiter.
func (w *Waiting) Poll(wait bool) ([]byte, error) {
	if wait {
		return w.Read(context.Background())
	}
	if next := w.next; next != nil {
		w.next = nil
		return next, nil
	}
	select {
	case chunk := <-w.in:
		return chunk, nil
	default:
	}
	select {
	case <-w.closed:
		return nil, w.closedError()
	default:
		return nil, nil
	}
}

// Await implements session.Waiter.
func (w *Waiting) Await(next func()) {
	go func() {
		select {
		case w.next = <-w.in:
		case <-w.closed:
		}
		next()
	}()
}

// CanYield implements session.Yielder.
func (*Waiting) CanYield() bool { return true }

// WriteYielding implements session.Yielder.
func (w *Waiting) WriteYielding(messages [][]byte, waits func()) error {
	w.mu.Lock()
	stalled := w.stalled
	w.mu.Unlock()
	if stalled != nil {
		waits()
	}
	return w.Write(context.Background(), messages)
}
