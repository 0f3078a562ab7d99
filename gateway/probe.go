package gateway

import (
	"context"

	"github.com/fliliy/chat/gateway/internal/probe"
)

// ProbeOptions say what Probe tries.
type ProbeOptions = probe.Options

// ProbeResult is what Probe saw.
type ProbeResult = probe.Result

// Probe tries a gateway, wherever it runs, as a client does: it connects, enters a room, sends a message, and waits until
// it is stored and has come back, no longer than the context lives.
func Probe(ctx context.Context, opts ProbeOptions) (*ProbeResult, error) {
	return probe.Run(ctx, opts)
}
