package fleet_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/fliliy/chat/deploy/fleet"
)

func TestNames(t *testing.T) {
	t.Parallel()
	all, err := fleet.ClaimAddresses()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = all.Release() })
	two := []netip.Addr{netip.MustParseAddr(all.IP(10)), netip.MustParseAddr(all.IP(11))}
	names, err := fleet.StartNames(all.At(2, 5353), map[string][]netip.Addr{"chatsvc.test": two, "one.test": two[:1]})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = names.Close() })
	for _, tc := range []struct {
		name    string
		kind    dnsmessage.Type
		answers int
		code    dnsmessage.RCode
	}{
		{"chatsvc.test.", dnsmessage.TypeA, 2, dnsmessage.RCodeSuccess},
		{"one.test.", dnsmessage.TypeA, 1, dnsmessage.RCodeSuccess},
		{"one.test.", dnsmessage.TypeAAAA, 0, dnsmessage.RCodeSuccess},
		{"two.test.", dnsmessage.TypeA, 0, dnsmessage.RCodeNameError},
	} {
		t.Run(tc.name+tc.kind.String(), func(t *testing.T) {
			reply := ask(t, all.At(2, 5353), dnsmessage.Question{
				Name: dnsmessage.MustNewName(tc.name), Type: tc.kind, Class: dnsmessage.ClassINET,
			})
			if reply.ID != 7 || reply.RCode != tc.code || len(reply.Answers) != tc.answers {
				t.Errorf("reply %+v, want code %v and %d answers", reply, tc.code, tc.answers)
			}
		})
	}
	if target := names.Target("one.test", 9090); !strings.HasPrefix(target, "dns://127.") ||
		!strings.HasSuffix(target, "/one.test:9090") {
		t.Errorf("Target = %s", target)
	}
}

// ask puts one question to a DNS server.
func ask(t *testing.T, server string, question dnsmessage.Question) dnsmessage.Message {
	t.Helper()
	query := dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: []dnsmessage.Question{question}}
	packed, err := query.Pack()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("udp", server)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := conn.Write(packed); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 4096)
	n, err := conn.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	var reply dnsmessage.Message
	if err := reply.Unpack(buffer[:n]); err != nil {
		t.Fatal(err)
	}
	return reply
}
