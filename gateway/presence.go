package gateway

import (
	"context"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/presence"
)

// statusChanges puts presence's changes in the words that the herald shares with the relay.
func statusChanges(changes []presence.Change) []event.StatusChange {
	out := make([]event.StatusChange, len(changes))
	for i, c := range changes {
		out[i] = event.StatusChange{User: c.User, Status: c.Status, At: c.At}
	}
	return out
}

// presenceLookup is presence as the herald asks it.
type presenceLookup struct{ *presence.Presence }

// Statuses implements herald.Lookup.
func (l *presenceLookup) Statuses(ctx context.Context, users []string) (map[string]string, bool) {
	found, err := l.Presence.Statuses(ctx, users)
	statuses := make(map[string]string, len(found))
	for user, p := range found {
		if p.Status != "offline" {
			statuses[user] = p.Status
		}
	}
	return statuses, err != nil
}
