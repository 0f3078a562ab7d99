package fleet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// The address that marks a range as taken.
const (
	claimOctet = 1
	claimPort  = 7777
)

// Addresses are the 254 loopback addresses 127.a.b.2 to 254 of one cluster: a process that has one of its own never finds its
// port taken when it is started again.
type Addresses struct {
	a, b  byte
	claim net.Listener // held as long as the cluster lives, so that no other takes the same
}

// ClaimAddresses finds addresses that no other cluster on this machine uses. Release gives them back.
func ClaimAddresses() (*Addresses, error) {
	var failed error
	for range 20 {
		//nolint:gosec // G404: it spreads clusters, it hides nothing
		all := &Addresses{a: byte(64 + rand.IntN(128)), b: byte(rand.IntN(256))}
		all.claim, failed = new(net.ListenConfig).Listen(context.Background(), "tcp", all.At(claimOctet, claimPort))
		if failed == nil {
			return all, nil
		}
	}
	return nil, fmt.Errorf("find a free range of loopback addresses (Linux has 127.0.0.0/8): %w", failed)
}

// Release gives the addresses back.
func (all *Addresses) Release() error { return all.claim.Close() }

// IP is the address with this last octet, 2 to 254.
func (all *Addresses) IP(octet int) string {
	return net.IPv4(127, all.a, all.b, byte(octet)).String() //nolint:gosec // G115: octets are small constants
}

// At is host:port of the address with this last octet.
func (all *Addresses) At(octet, port int) string {
	return net.JoinHostPort(all.IP(octet), strconv.Itoa(port))
}
