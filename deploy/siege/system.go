package siege

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/fliliy/chat/deploy/fleet"
	"github.com/fliliy/chat/gateway/redistest"
)

// Ports and last octets of a system's loopback addresses.
const (
	publicPort   = 8080
	adminPort    = 8090
	grpcPort     = 9090
	natsPort     = 4222
	natsOctet    = 2
	chatsvcOctet = 3
	gatewayOctet = 4
)

// system is one gateway and what it needs, as processes.
type system struct {
	secret  string
	all     *fleet.Addresses
	redis   *redistest.Server
	nats    *fleet.Process
	chatsvc *fleet.Node
	gateway *fleet.Node
}

// start starts everything, with the programs that are in the folder; it returns when all are ready. The caller calls
// stop, after an error too.
func start(ctx context.Context, folder string, env []string) (s *system, err error) {
	s = &system{secret: rand.Text() + rand.Text()}
	if s.all, err = fleet.ClaimAddresses(); err != nil {
		return s, err
	}
	if s.redis, err = redistest.Start(); err != nil {
		return s, err
	}
	s.nats = fleet.NewProcess(folder, fleet.NATS, []string{
		filepath.Join(folder, fleet.NATS), "-a", s.all.IP(natsOctet), "-p", fmt.Sprint(natsPort),
	}, nil)
	if err := s.nats.Start(); err != nil {
		return s, err
	}
	natsURL := "nats://" + s.all.At(natsOctet, natsPort)
	s.chatsvc = s.node(folder, fleet.Chatsvc, chatsvcOctet,
		"FLILIY_CHATSVC_ADDR="+s.all.At(chatsvcOctet, grpcPort),
		"FLILIY_CHATSVC_ADMIN_ADDR="+s.all.At(chatsvcOctet, adminPort),
		"FLILIY_CHATSVC_DATABASE_URL=sqlite:"+filepath.Join(folder, rand.Text()+".db"), "FLILIY_CHATSVC_NATS_URL="+natsURL)
	if err := s.chatsvc.Restart(ctx); err != nil {
		return s, err
	}
	s.gateway = s.node(folder, fleet.Gateway, gatewayOctet, append([]string{
		"FLILIY_GATEWAY_ADDR=" + s.public(), "FLILIY_GATEWAY_ADMIN_ADDR=" + s.all.At(gatewayOctet, adminPort),
		"FLILIY_GATEWAY_CHATSVC_TARGET=" + s.all.At(chatsvcOctet, grpcPort),
		"FLILIY_GATEWAY_NATS_URL=" + natsURL, "FLILIY_GATEWAY_REDIS_URL=" + s.redis.URL(),
		"FLILIY_GATEWAY_JWT_SECRET=" + s.secret,
		"FLILIY_GATEWAY_LIMIT_DRAIN_GRACE=1ms", "FLILIY_GATEWAY_LIMIT_DRAIN_TIME=1s",
	}, env...)...)
	return s, s.gateway.Restart(ctx)
}

func (s *system) node(folder, program string, octet int, settings ...string) *fleet.Node {
	return &fleet.Node{
		Process: fleet.NewProcess(folder, program, []string{filepath.Join(folder, program), "serve"}, settings),
		Admin:   s.all.At(octet, adminPort),
	}
}

// public is where clients connect.
func (s *system) public() string { return s.all.At(gatewayOctet, publicPort) }

// stop ends everything that was started, the gateway first.
func (s *system) stop() error {
	var failed []error
	for _, node := range []*fleet.Node{s.gateway, s.chatsvc} {
		if node != nil {
			failed = append(failed, node.Stop())
		}
	}
	if s.nats != nil {
		failed = append(failed, s.nats.Stop())
	}
	if s.redis != nil {
		s.redis.Stop()
	}
	if s.all != nil {
		failed = append(failed, s.all.Release())
	}
	return errors.Join(failed...)
}
