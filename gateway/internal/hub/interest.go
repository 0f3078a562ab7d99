package hub

import (
	"context"
	"fmt"
)

// listening is one attempt to take the interest in a log, shared by all who wait for it.
type listening struct {
	done chan struct{}
	err  error // set before done is closed
}

// listen returns once the interest in the log is live. The first caller takes it, in a goroutine of its own, so that
// it does not fail for the others when the first one goes away.
func (h *Hub) listen(ctx context.Context, t *track) error {
	t.mu.Lock()
	l := t.listening
	if l == nil {
		l = &listening{done: make(chan struct{})}
		h.retain(t) // the track stays until the outcome is known
		if !h.life.spawn(func() { h.takeInterest(t, l) }) {
			t.mu.Unlock()
			h.release(t, 0)
			return errEnded
		}
		t.listening = l
	}
	t.mu.Unlock()
	select {
	case <-l.done:
		return l.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// listened is what stands for all that was attempted, once it has succeeded, so that no track keeps its own.
var listened = func() *listening {
	l := &listening{done: make(chan struct{})}
	close(l.done)
	return l
}()

func (h *Hub) takeInterest(t *track, l *listening) {
	ctx, cancel := context.WithTimeout(h.life.ctx, h.tuning.CallTimeout)
	defer cancel()
	err := h.interest.Add(ctx, t.log)
	stands := listened
	if err != nil {
		l.err = fmt.Errorf("take interest: %w", err)
		stands = nil // the next subscriber tries again
	}
	t.mu.Lock()
	t.listening = stands
	t.mu.Unlock()
	close(l.done)
	h.release(t, 0)
}

// abandon forgets what is known of a log to which nobody has a reference any more, and says whether there is an
// interest to give up. Events that still come find a log that is not followed.
func (h *Hub) abandon(t *track) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	h.reset(t)
	return t.listening != nil
}
