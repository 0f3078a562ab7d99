package hub

import (
	"context"

	"github.com/fliliy/chat/gateway/internal/event"
)

// Interest is the fan-in's side: which logs this node wants to hear of.
type Interest interface {
	// Add takes an interest in a log. When it has returned, every event published later will arrive.
	Add(ctx context.Context, log event.Log) error
	// Remove gives the interest up.
	Remove(log event.Log)
}

// Logs is the relay's side: what the chat service knows of logs. Errors are *event.Error.
type Logs interface {
	// Subscribe checks that the user may read the log and returns its state; lastSeq < 0 asks for no events.
	Subscribe(ctx context.Context, user string, log event.Log, lastSeq int64) (event.Snapshot, error)
	// ReadLog returns events after one seq up to another (0: the head), in order without gaps from after+1 on; it
	// may return fewer than asked for, never none where there are some. The second result is the head.
	ReadLog(ctx context.Context, log event.Log, after, upTo int64) ([]event.Event, int64, error)
	// ReadHeads returns the newest seq of each log, in the order asked.
	ReadHeads(ctx context.Context, logs []event.Log) ([]int64, error)
}
