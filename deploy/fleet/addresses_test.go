package fleet_test

import (
	"testing"

	"github.com/fliliy/chat/deploy/fleet"
)

func TestClustersDoNotShareAddresses(t *testing.T) {
	t.Parallel()
	one, err1 := fleet.ClaimAddresses()
	two, err2 := fleet.ClaimAddresses()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if one.IP(10) == two.IP(10) {
		t.Errorf("two clusters at %s", one.IP(10))
	}
	if err := one.Release(); err != nil {
		t.Error(err)
	}
	if err := two.Release(); err != nil {
		t.Error(err)
	}
}
