package rpc_test

import (
	"sync"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// holding is an appender that can hold units back; it keeps their order.
type holding struct {
	next chat.Appender

	mu      sync.Mutex
	on      bool
	waiting []func()
}

// over puts it in front of the real one.
func (h *holding) over(next chat.Appender) chat.Appender {
	h.next = next
	return h
}

func (h *holding) Submit(unit []chat.Draft, done func([]chat.Stored, error)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.on {
		h.waiting = append(h.waiting, func() { h.next.Submit(unit, done) })
		return
	}
	h.next.Submit(unit, done)
}

func (h *holding) hold() {
	h.mu.Lock()
	h.on = true
	h.mu.Unlock()
}

func (h *holding) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.waiting)
}

func (h *holding) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.on = false
	for _, submit := range h.waiting {
		submit()
	}
	h.waiting = nil
}
