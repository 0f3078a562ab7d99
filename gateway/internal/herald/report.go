package herald

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
)

// reports are changes that the chat service has yet to hear of.
type reports struct {
	wake chan struct{}

	mu      sync.Mutex
	waiting map[string]event.StatusChange // by user, the newest
}

// Notify takes changes and returns at once.
func (h *Herald) Notify(changes []event.StatusChange) {
	if left := h.reports.add(changes); left > 0 {
		h.logger.Warn("presence: too many changes wait for the chat service; some are not told", slog.Int("left", left))
	}
	signal(h.reports.wake)
}

// add returns how many changes there was no place for.
func (r *reports) add(changes []event.StatusChange) (left int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range changes {
		known, waits := r.waiting[c.User]
		switch {
		case waits && !c.At.After(known.At):
		case !waits && len(r.waiting) >= MaxWaiting:
			left++
		default:
			r.waiting[c.User] = c
		}
	}
	return left
}

// take moves up to MaxReports changes out of the line.
func (r *reports) take() []event.StatusChange {
	r.mu.Lock()
	defer r.mu.Unlock()
	var taken []event.StatusChange
	for user, c := range r.waiting {
		if len(taken) == MaxReports {
			break
		}
		taken = append(taken, c)
		delete(r.waiting, user)
	}
	return taken
}

func (h *Herald) runReports(ctx context.Context) {
	pause := pauseMin
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.reports.wake:
		}
		for changes := h.reports.take(); len(changes) > 0; changes = h.reports.take() {
			if h.report(ctx, changes) {
				pause = pauseMin
				continue
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			pause = min(2*pause, pauseMax)
			h.reports.add(h.stillTrue(ctx, changes))
		}
	}
}

// report says false when the changes are to be reported again.
func (h *Herald) report(ctx context.Context, changes []event.StatusChange) bool {
	err := h.reporter.ReportStatuses(ctx, changes)
	var refused *event.Error
	switch {
	case err == nil:
		return true
	case errors.As(err, &refused) && refused.Code != event.Unavailable && refused.Code != event.Internal:
		h.logger.Error("presence: the chat service refuses a report", slog.Any("error", err))
		return true
	}
	return false
}

// stillTrue leaves out what is not so any more: it was followed by another change, which somebody else reports.
func (h *Herald) stillTrue(ctx context.Context, changes []event.StatusChange) []event.StatusChange {
	users := make([]string, len(changes))
	for i, c := range changes {
		users[i] = c.User
	}
	now, stale := h.lookup.Statuses(ctx, users)
	if stale {
		return changes
	}
	var same []event.StatusChange
	for _, c := range changes {
		if statusOf(now, c.User) == c.Status {
			same = append(same, c)
		}
	}
	return same
}

func statusOf(statuses map[string]string, user string) string {
	if status, there := statuses[user]; there {
		return status
	}
	return offline
}

const offline = "offline"
