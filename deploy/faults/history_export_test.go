package faults

import "time"

// NewHistoryAt makes a History whose time is told.
func NewHistoryAt(clock func() time.Duration) *History { return newHistory(clock) }

// Expel ends a session as a gateway's refusal does.
func (s *Session) Expel() { s.expel() }

// Dial records a connection as a client does.
func (h *History) Dial(client int, user, gateway string, change func(*Connection)) {
	c := h.dialling(client, user, gateway)
	h.note(c, func(c *Connection, _ time.Duration) { change(c) })
}

// NewClientNumber numbers a client.
func (h *History) NewClientNumber() int { return h.newClient() }
