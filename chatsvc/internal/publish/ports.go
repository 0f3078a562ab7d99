package publish

import (
	"context"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// Changes is what the store knows of logs that changed lately.
type Changes interface {
	// RecentHeads returns the newest heads of all logs to which something was added within the window, whichever
	// replica did. Logs that changed before may be among them. Heads may come with an error.
	RecentHeads(ctx context.Context, window time.Duration) ([]chat.Head, error)
}
