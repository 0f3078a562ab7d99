// Package memory gives memory back after a rush: connecting makes several times as much garbage as a connection keeps,
// and what thousands of clients left behind when they went is not needed any more. Left alone, Go would return most of
// it within minutes, or when the heap has doubled. The package knows no session, only their number; the composition root
// runs it.
package memory

import (
	"context"
	"time"
)

// The crowd has changed much by this part of it, and by at least so many; it is calm when it changes less than that part
// between two looks.
const (
	muchPart = 10
	muchMin  = 500
	calmPart = 100
)

// Keeper looks at a crowd now and then.
type Keeper struct {
	Size  func() int    // of the crowd
	Free  func()        // gives memory back
	Every time.Duration // between looks
}

// Run looks until the context ends: when the crowd has grown or shrunk much since memory was last given back, and is calm
// again, it is given back.
func (k Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(k.Every)
	defer tick.Stop()
	freed, last := k.Size(), k.Size()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		size := k.Size()
		calm := distance(size, last) <= max(size, last)/calmPart
		if calm && distance(size, freed) >= max(muchMin, freed/muchPart) {
			k.Free()
			freed = size
		}
		last = size
	}
}

func distance(a, b int) int { return max(a-b, b-a) }
