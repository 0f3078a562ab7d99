package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports of a cluster. Every process and proxy has a loopback address of its own, so that a port is never taken by
// another when its owner is dead, and a restarted process is where it was.
const (
	publicPort = 8080
	adminPort  = 8090
	grpcPort   = 9090
	natsPort   = 4222
	redisPort  = 6379
	sqlPort    = 5432
	dnsPort    = 5353
	claimPort  = 7777
)

// Last octets of a cluster's addresses; where there are several of a kind they count up.
const (
	claimOctet        = 1
	dnsOctet          = 2
	natsOctet         = 3
	gatewayOctet      = 10
	replicaOctet      = 20
	gatewayNATSOctet  = 30
	replicaNATSOctet  = 40
	gatewayRedisOctet = 50
	replicaSQLOctet   = 60
	chatsvcOctet      = 100 // + maxNodes * gateway + replica
	maxNodes          = 10
)

// addresses are the 254 loopback addresses 127.a.b.* of one cluster.
type addresses struct {
	a, b  byte
	claim net.Listener // held as long as the cluster lives, so that no other takes the same
}

// claimAddresses finds addresses that no other cluster on this machine uses. release gives them back.
func claimAddresses() (*addresses, error) {
	var failed error
	for range 20 {
		//nolint:gosec // G404: it spreads clusters, it hides nothing
		all := &addresses{a: byte(64 + rand.IntN(128)), b: byte(rand.IntN(256))}
		all.claim, failed = new(net.ListenConfig).Listen(context.Background(), "tcp", all.at(claimOctet, claimPort))
		if failed == nil {
			return all, nil
		}
	}
	return nil, fmt.Errorf("find a free range of loopback addresses (Linux has 127.0.0.0/8): %w", failed)
}

func (all *addresses) release() error { return all.claim.Close() }

func (all *addresses) ip(octet int) string {
	return net.IPv4(127, all.a, all.b, byte(octet)).String() //nolint:gosec // G115: octets are the constants above
}

func (all *addresses) at(octet, port int) string {
	return net.JoinHostPort(all.ip(octet), strconv.Itoa(port))
}

var errTooMany = errors.New("a cluster has 1 to " + strconv.Itoa(maxNodes) + " gateways and as many chatsvc replicas")
