package stomp_test

import (
	"testing"

	"github.com/fliliy/chat/gateway/internal/stomp"
)

func TestNegotiate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		accept string
		want   stomp.Version
		ok     bool
	}{
		{"1.0", stomp.V10, true},
		{"1.1", stomp.V11, true},
		{"1.2", stomp.V12, true},
		{"1.0,1.1,1.2", stomp.V12, true},
		{"1.2,1.1,1.0", stomp.V12, true},
		{"1.1,1.0", stomp.V11, true},
		{" 1.0 ,\t1.1 , 1.2 ", stomp.V12, true},
		{"1.0,1.3,2.0", stomp.V10, true},
		{"1.1,", stomp.V11, true},
		{",,1.1", stomp.V11, true},
		{"1.1,1.1", stomp.V11, true},
		{"2.0", 0, false},
		{"", 0, false},
		{",", 0, false},
		{" ", 0, false},
		{"1", 0, false},
		{"1.20", 0, false},
		{"v1.2", 0, false},
		{"1.0 1.1", 0, false},
		{"1.1;1.2", 0, false},
	} {
		if got, ok := stomp.Negotiate(c.accept); got != c.want || ok != c.ok {
			t.Errorf("Negotiate(%q) = %q, %v; want %q, %v", c.accept, got, ok, c.want, c.ok)
		}
	}
}

func TestVersionString(t *testing.T) {
	t.Parallel()
	for v, want := range map[stomp.Version]string{0: "", stomp.V10: "1.0", stomp.V11: "1.1", stomp.V12: "1.2", 9: ""} {
		if got := v.String(); got != want {
			t.Errorf("Version(%d).String() = %q, want %q", uint8(v), got, want)
		}
	}
	if best, ok := stomp.Negotiate(stomp.Versions); best != stomp.V12 || !ok {
		t.Errorf("our own list %q negotiates to %q", stomp.Versions, best)
	}
}

func TestHeaderLookup(t *testing.T) {
	t.Parallel()
	h := stomp.Header{{Key: "id", Value: "1"}, {Key: "id", Value: "2"}, {Key: "empty"}}
	for _, c := range []struct {
		key, want string
		ok        bool
	}{{"id", "1", true}, {"empty", "", true}, {"ID", "", false}, {"none", "", false}, {"", "", false}} {
		if got, ok := h.Lookup(c.key); got != c.want || ok != c.ok || h.Get(c.key) != c.want {
			t.Errorf("Lookup(%q) = %q, %v and Get %q; want %q, %v", c.key, got, ok, h.Get(c.key), c.want, c.ok)
		}
	}
}
