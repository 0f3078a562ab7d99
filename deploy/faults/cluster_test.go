package faults

import "testing"

func TestClusterRefusesSenselessSizes(t *testing.T) {
	t.Parallel()
	for _, size := range [][2]int{{0, 1}, {1, 0}, {maxNodes + 1, 1}} {
		if c, err := startCluster(t.Context(), t.TempDir(), size[0], size[1]); err == nil {
			_ = c.stop()
			t.Errorf("%d gateways and %d replicas: no error", size[0], size[1])
		}
	}
}
