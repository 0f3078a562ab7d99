package faults

import (
	"encoding/json"
	"fmt"
	"time"
)

// StatusSeen is what a USER_STATUS event said, when its first copy came to anybody.
type StatusSeen struct {
	User, Status string
	At           time.Duration
}

// status records a USER_STATUS event. A change is told in every room of the user, to everybody there: it counts once.
func (h *History) status(body []byte) error {
	var event struct {
		UserID string `json:"userId"`
		Status string `json:"status"`
		At     string `json:"at"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		return fmt.Errorf("read a USER_STATUS event: %w", err)
	}
	key := event.UserID + " " + event.Status + " " + event.At
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.statuses[key]; !known {
		h.statuses[key] = StatusSeen{User: event.UserID, Status: event.Status, At: h.Now()}
	}
	return nil
}

// Statuses are the changes that clients were told, in no order.
func (h *History) Statuses() []StatusSeen {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]StatusSeen, 0, len(h.statuses))
	for _, s := range h.statuses {
		all = append(all, s)
	}
	return all
}
