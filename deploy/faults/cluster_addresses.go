package faults

import (
	"errors"
	"strconv"
)

// Ports of a cluster. Every process and proxy has a loopback address of its own, so that a port is never taken by
// another when its owner is dead, and a restarted process is where it was.
const (
	publicPort = 8080
	adminPort  = 8090
	peerPort   = 8092
	grpcPort   = 9090
	natsPort   = 4222
	redisPort  = 6379
	sqlPort    = 5432
	dnsPort    = 5353
)

// Last octets of a cluster's addresses; where there are several of a kind they count up.
const (
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

var errTooMany = errors.New("a cluster has 1 to " + strconv.Itoa(maxNodes) + " gateways and as many chatsvc replicas")
