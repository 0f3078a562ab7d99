package faults

import (
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/fliliy/chat/deploy/fleet"
)

func TestClusterRefusesSenselessSizes(t *testing.T) {
	t.Parallel()
	for _, size := range [][2]int{{0, 1}, {1, 0}, {maxNodes + 1, 1}} {
		if c, err := startCluster(t.Context(), t.TempDir(), size[0], size[1]); err == nil {
			_ = c.stop()
			t.Errorf("%d gateways and %d replicas: no error", size[0], size[1])
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	all, err := fleet.ClaimAddresses()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = all.Release() })
	names, err := startNames(all, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = names.close() })
	for _, tc := range []struct {
		name    string
		kind    dnsmessage.Type
		answers int
		code    dnsmessage.RCode
	}{
		{"0.chatsvc.test.", dnsmessage.TypeA, 2, dnsmessage.RCodeSuccess},
		{"1.chatsvc.test.", dnsmessage.TypeA, 2, dnsmessage.RCodeSuccess},
		{"1.chatsvc.test.", dnsmessage.TypeAAAA, 0, dnsmessage.RCodeSuccess},
		{"chatsvc.test.", dnsmessage.TypeA, 0, dnsmessage.RCodeNameError},
		{"99.chatsvc.test.", dnsmessage.TypeA, 0, dnsmessage.RCodeNameError},
		{"example.org.", dnsmessage.TypeA, 0, dnsmessage.RCodeNameError},
	} {
		t.Run(tc.name+tc.kind.String(), func(t *testing.T) {
			query := dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: []dnsmessage.Question{{
				Name: dnsmessage.MustNewName(tc.name), Type: tc.kind, Class: dnsmessage.ClassINET,
			}}}
			packed, err := query.Pack()
			if err != nil {
				t.Fatal(err)
			}
			packed, err = names.answer(packed)
			if err != nil {
				t.Fatal(err)
			}
			var reply dnsmessage.Message
			if err := reply.Unpack(packed); err != nil {
				t.Fatal(err)
			}
			if reply.ID != 7 || reply.RCode != tc.code || len(reply.Answers) != tc.answers {
				t.Errorf("reply %+v, want code %v and %d answers", reply, tc.code, tc.answers)
			}
		})
	}
	if target := names.target(1); !strings.HasPrefix(target, "dns://127.") || !strings.HasSuffix(target, "/1.chatsvc.test:9090") {
		t.Errorf("target(1) = %s", target)
	}
}
