package memory_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fliliy/chat/gateway/internal/memory"
)

func TestKeeper(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		sizes []int // of the crowd at each look, from the start on
		freed int
	}{
		{"nobody comes", []int{0, 0, 0, 0}, 0},
		{"a few come", []int{0, 100, 400, 499, 499}, 0},
		{"a rush is given its time", []int{0, 1000, 3000, 5000}, 0},
		{"and is over", []int{0, 1000, 3000, 5000, 5010, 5010, 5020}, 1},
		{"all go", []int{5000, 4000, 1000, 0, 0, 0}, 1},
		{"come and go", []int{0, 5000, 5000, 0, 0, 5000, 5000}, 3},
		{"a tenth of many", []int{20_000, 21_900, 21_900, 22_000, 22_000}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				size, freed := tc.sizes[0], 0
				ctx, cancel := context.WithCancel(t.Context())
				k := memory.Keeper{Size: func() int { return size }, Free: func() { freed++ }, Every: time.Second}
				done := make(chan error, 1)
				go func() { done <- k.Run(ctx) }()
				synctest.Wait()
				for _, size = range tc.sizes[1:] {
					<-time.After(time.Second)
					synctest.Wait()
				}
				cancel()
				if err := <-done; err != nil || freed != tc.freed {
					t.Errorf("freed %d times, %v; want %d", freed, err, tc.freed)
				}
			})
		})
	}
}
