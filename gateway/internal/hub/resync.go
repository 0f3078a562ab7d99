package hub

import (
	"context"
	"log/slog"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
)

// headsChunk is the most logs asked for in one ReadHeads.
const headsChunk = 1000

// Resync says that events may have been lost: the heads of all logs are read again, and logs that are behind are
// repaired. It returns at once; calls that come while one waits are one.
func (h *Hub) Resync() {
	select {
	case h.resync <- struct{}{}:
	default:
	}
}

func (h *Hub) resyncLoop(ctx context.Context) {
	for {
		select {
		case <-h.resync:
			h.readAllHeads(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// readAllHeads reads the heads of all followed logs, chunk by chunk, and stays with a chunk until it is answered.
func (h *Hub) readAllHeads(ctx context.Context) {
	logs := h.followed()
	failures := 0
	for len(logs) > 0 {
		chunk := logs[:min(headsChunk, len(logs))]
		err := h.readHeads(ctx, chunk)
		if err == nil {
			logs = logs[len(chunk):]
			failures = 0
			continue
		}
		failures++
		if failures == 1 {
			h.logger.Warn("heads of logs not read, trying again", slog.Int("logs", len(logs)), slog.Any("error", err))
		}
		select {
		case <-time.After(h.backoff(failures)):
		case <-ctx.Done():
			return
		}
	}
}

func (h *Hub) readHeads(ctx context.Context, logs []event.Log) error {
	ctx, cancel := context.WithTimeout(ctx, h.tuning.CallTimeout)
	defer cancel()
	heads, err := h.logs.ReadHeads(ctx, logs)
	if err != nil {
		return err
	}
	for i := range min(len(logs), len(heads)) {
		h.noteHead(event.Head{Log: logs[i], Seq: heads[i]}, h.tuning.HoleGrace)
	}
	return nil
}
