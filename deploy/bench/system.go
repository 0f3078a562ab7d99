package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync"

	"github.com/fliliy/chat/chatsvc/pgtest"
	"github.com/fliliy/chat/deploy/fleet"
	"github.com/fliliy/chat/deploy/loadgen"
	"github.com/fliliy/chat/deploy/loadgen/scenario"
	"github.com/fliliy/chat/gateway/redistest"
)

// ours is the name of our system as a server.
const ours = "fliliy"

// server is what is measured: our system, or a peer.
type server interface {
	target() (scenario.Target, error)
	servers() []netip.AddrPort
	secret() string
	processes() loadgen.Processes
	profiled() []*fleet.Node // what has /debug/pprof
	stop() error
}

// Ports and last octets of a system's loopback addresses.
const (
	publicPort   = 8080
	adminPort    = 8090
	peerPort     = 8092
	grpcPort     = 9090
	natsPort     = 4222
	dnsPort      = 5353
	dnsOctet     = 2
	natsOctet    = 3
	gatewayOctet = 10
	replicaOctet = 30
	maxNodes     = 16
	chatsvcName  = "chatsvc.test"
)

// Size is how many processes of each kind a system has.
type Size struct{ Gateways, Replicas int }

// system is ours.
type system struct {
	size       Size
	folder     string // programs and logs
	env        []string
	jwtSecret  string
	peerSecret string
	all        *fleet.Addresses
	names      *fleet.Names
	postgres   *pgtest.Server
	redis      *redistest.Server
	nats       *fleet.Process
	gateways   []*fleet.Node
	replicas   []*fleet.Node
}

// startSystem starts everything, with the programs that are in the folder; it returns when all are ready. The caller
// calls stop.
func startSystem(ctx context.Context, folder string, size Size, env []string) (server, error) {
	if min(size.Gateways, size.Replicas) < 1 || max(size.Gateways, size.Replicas) > maxNodes {
		return nil, fmt.Errorf("%d gateways and %d chatsvcs: want 1 to %d of each", size.Gateways, size.Replicas, maxNodes)
	}
	s := &system{size: size, folder: folder, env: env, jwtSecret: rand.Text() + rand.Text(), peerSecret: rand.Text() + rand.Text()}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func (s *system) start(ctx context.Context) (err error) {
	if s.all, err = fleet.ClaimAddresses(); err != nil {
		return err
	}
	if s.postgres, err = pgtest.Start(ctx); err != nil {
		return err
	}
	if s.redis, err = redistest.Start(); err != nil {
		return err
	}
	s.nats = fleet.NewProcess(s.folder, fleet.NATS, []string{
		filepath.Join(s.folder, fleet.NATS), "-a", s.all.IP(natsOctet), "-p", fmt.Sprint(natsPort),
	}, nil)
	if err := s.nats.Start(); err != nil {
		return err
	}
	var replicas []netip.Addr
	for i := range s.size.Replicas {
		replicas = append(replicas, netip.MustParseAddr(s.all.IP(replicaOctet+i)))
		node := s.node(fleet.Chatsvc, i, replicaOctet+i, s.chatsvcSettings(i))
		s.replicas = append(s.replicas, node)
		if err := node.Restart(ctx); err != nil { // one after another: the first migrates the schema
			return err
		}
	}
	records := map[string][]netip.Addr{chatsvcName: replicas}
	if s.names, err = fleet.StartNames(s.all.At(dnsOctet, dnsPort), records); err != nil {
		return err
	}
	return s.startGateways(ctx)
}

func (s *system) startGateways(ctx context.Context) error {
	for i := range s.size.Gateways {
		node := s.node(fleet.Gateway, i, gatewayOctet+i, s.gatewaySettings(i))
		s.gateways = append(s.gateways, node)
		if err := node.Restart(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *system) node(program string, i, octet int, settings []string) *fleet.Node {
	command := []string{filepath.Join(s.folder, program), "serve"}
	return &fleet.Node{
		Process: fleet.NewProcess(s.folder, fmt.Sprint(program, i), command, append(settings, s.env...)),
		Admin:   s.all.At(octet, adminPort),
	}
}

// The settings are the defaults, but for addresses, secrets, and limits on what one address may do: all the load comes
// from one.
func (s *system) chatsvcSettings(i int) []string {
	return []string{
		"FLILIY_CHATSVC_ADDR=" + s.all.At(replicaOctet+i, grpcPort),
		"FLILIY_CHATSVC_ADMIN_ADDR=" + s.all.At(replicaOctet+i, adminPort),
		"FLILIY_CHATSVC_DATABASE_URL=" + s.postgres.URL(), "FLILIY_CHATSVC_NATS_URL=" + s.natsURL(),
		"FLILIY_CHATSVC_LOG_FORMAT=text",
	}
}

func (s *system) gatewaySettings(i int) []string {
	return []string{
		"FLILIY_GATEWAY_ADDR=" + s.all.At(gatewayOctet+i, publicPort),
		"FLILIY_GATEWAY_ADMIN_ADDR=" + s.all.At(gatewayOctet+i, adminPort),
		"FLILIY_GATEWAY_CHATSVC_TARGET=" + s.names.Target(chatsvcName, grpcPort),
		"FLILIY_GATEWAY_NATS_URL=" + s.natsURL(), "FLILIY_GATEWAY_REDIS_URL=" + s.redis.URL(),
		"FLILIY_GATEWAY_JWT_SECRET=" + s.jwtSecret, "FLILIY_GATEWAY_LIMIT_DRAIN_GRACE=1ms",
		"FLILIY_GATEWAY_LIMIT_DRAIN_TIME=2s", "FLILIY_GATEWAY_LOG_FORMAT=text",
		"FLILIY_GATEWAY_RATE_OFF=true", "FLILIY_GATEWAY_LIMIT_CONNECTIONS=0",
		"FLILIY_GATEWAY_LIMIT_CONNECTIONS_PER_ADDRESS=0", "FLILIY_GATEWAY_LIMIT_CONNECTIONS_PER_USER=0",
		"FLILIY_GATEWAY_PEER_ADDR=" + s.all.At(gatewayOctet+i, peerPort), "FLILIY_GATEWAY_PEER_SECRET=" + s.peerSecret,
	}
}

func (s *system) natsURL() string { return "nats://" + s.all.At(natsOctet, natsPort) }

func (s *system) target() (scenario.Target, error) { return scenario.OpenTarget(ours) }

func (s *system) servers() (addresses []netip.AddrPort) {
	for i := range s.gateways {
		addresses = append(addresses, netip.MustParseAddrPort(s.all.At(gatewayOctet+i, publicPort)))
	}
	return addresses
}

func (s *system) secret() string { return s.jwtSecret }

func (s *system) processes() loadgen.Processes {
	pids := func(nodes []*fleet.Node) (pids []int) {
		for _, n := range nodes {
			pids = append(pids, n.Pid())
		}
		return pids
	}
	return loadgen.Processes{
		"gateway": pids(s.gateways), "chatsvc": pids(s.replicas), "postgres": {s.postgres.Pid()},
		"redis": {s.redis.Pid()}, "nats": {s.nats.Pid()},
	}
}

func (s *system) profiled() []*fleet.Node {
	return append(append([]*fleet.Node(nil), s.gateways...), s.replicas...)
}

// stop ends everything, gateways first; what was not started is left out.
func (s *system) stop() error {
	failed := make([]error, len(s.gateways))
	var gates sync.WaitGroup
	for i, g := range s.gateways {
		gates.Go(func() { failed[i] = g.Stop() })
	}
	gates.Wait()
	for _, r := range s.replicas {
		failed = append(failed, r.Stop())
	}
	if s.nats != nil {
		failed = append(failed, s.nats.Stop())
	}
	if s.redis != nil {
		s.redis.Stop()
	}
	if s.postgres != nil {
		failed = append(failed, s.postgres.Stop())
	}
	if s.names != nil {
		failed = append(failed, s.names.Close())
	}
	if s.all != nil {
		failed = append(failed, s.all.Release())
	}
	return errors.Join(failed...)
}
