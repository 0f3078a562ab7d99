package memory_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fliliy/chat/gateway/internal/memory"
)

func TestKeeper(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		sizes []int64 // of the crowd at each look, from the start on
		freed int64
	}{
		{"nobody comes", []int64{0, 0, 0, 0}, 0},
		{"a few come", []int64{0, 100, 400, 499, 499}, 0},
		{"a rush is given its time", []int64{0, 1000, 3000, 5000}, 0},
		{"and is over", []int64{0, 1000, 3000, 5000, 5010, 5010, 5020}, 1},
		{"all go", []int64{5000, 4000, 1000, 0, 0, 0}, 1},
		{"come and go", []int64{0, 5000, 5000, 0, 0, 5000, 5000}, 3},
		{"a tenth of many", []int64{20_000, 21_900, 21_900, 22_000, 22_000}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var size, freed atomic.Int64
				size.Store(tc.sizes[0])
				ctx, cancel := context.WithCancel(t.Context())
				k := memory.Keeper{Size: func() int { return int(size.Load()) }, Free: func() { freed.Add(1) }, Every: time.Second}
				done := make(chan error, 1)
				go func() { done <- k.Run(ctx) }()
				synctest.Wait()
				for _, next := range tc.sizes[1:] {
					size.Store(next)
					<-time.After(time.Second)
					synctest.Wait()
				}
				cancel()
				if err := <-done; err != nil || freed.Load() != tc.freed {
					t.Errorf("freed %d times, %v; want %d", freed.Load(), err, tc.freed)
				}
			})
		})
	}
}
