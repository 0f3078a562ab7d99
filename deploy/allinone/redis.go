package allinone

import (
	"context"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// clockStep is how often miniredis's clock moves; it expires keys only when told that time has passed.
const clockStep = time.Second

// startRedis runs an embedded miniredis whose keys expire in real time until the context ends.
func startRedis(ctx context.Context, addr string) (*miniredis.Miniredis, error) {
	redis := miniredis.NewMiniRedis()
	if err := redis.StartAddr(addr); err != nil {
		return nil, fmt.Errorf("start the embedded Redis: %w", err)
	}
	go func() {
		ticker := time.NewTicker(clockStep)
		defer ticker.Stop()
		for last := time.Now(); ; {
			select {
			case <-ctx.Done():
				return
			case now := <-ticker.C:
				redis.FastForward(now.Sub(last))
				last = now
			}
		}
	}()
	return redis, nil
}
