package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/fliliy/chat/deploy/fleet"
)

// gatewayProcess is a gateway in a process of its own, which can be killed.
type gatewayProcess struct {
	fleet.Node
	addr string
}

func (g *gatewayProcess) url() string   { return "http://" + g.addr }
func (g *gatewayProcess) wsURL() string { return "ws://" + g.addr + "/ws" }

// sessions is how many SockJS sessions live there.
func (g *gatewayProcess) sessions(t *testing.T) float64 {
	t.Helper()
	n, err := g.Metric(t.Context(), "fliliy_gateway_sockjs_sessions")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// gateways starts two gateways beside those of a stage, which take the tokens of its people, each other's pages, and any
// rate. Settings are NAME=VALUE and go before what is set here.
func (s *stage) gateways(t *testing.T, settings ...string) []*gatewayProcess {
	t.Helper()
	folder := t.TempDir()
	if err := fleet.Build(t.Context(), folder); err != nil {
		t.Fatal(err)
	}
	addresses, err := fleet.ClaimAddresses()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { report(addresses.Release()) })
	const public, admin, peer, first = 8080, 8090, 8092, 10
	both := []string{
		"FLILIY_GATEWAY_CHATSVC_TARGET=" + s.stack.Chatsvc.Addr(), "FLILIY_GATEWAY_NATS_URL=" + s.stack.NATSURL,
		"FLILIY_GATEWAY_REDIS_URL=" + s.stack.RedisURL, "FLILIY_GATEWAY_JWT_SECRET=" + s.secret(t),
		"FLILIY_GATEWAY_PEER_SECRET=between gateways: " + s.secret(t),
		"FLILIY_GATEWAY_ORIGINS=http://" + addresses.At(first, public) + ",http://" + addresses.At(first+1, public),
		"FLILIY_GATEWAY_RATE_OFF=true", "FLILIY_GATEWAY_LIMIT_CONNECTIONS_PER_ADDRESS=0",
		"FLILIY_GATEWAY_LIMIT_DRAIN_GRACE=0", "FLILIY_GATEWAY_LIMIT_DRAIN_TIME=3s", "FLILIY_GATEWAY_LOG_FORMAT=text",
	}
	all := make([]*gatewayProcess, 2)
	for i := range all {
		octet := first + i
		g := &gatewayProcess{addr: addresses.At(octet, public)}
		g.Admin = addresses.At(octet, admin)
		own := []string{
			"FLILIY_GATEWAY_ADDR=" + g.addr, "FLILIY_GATEWAY_ADMIN_ADDR=" + g.Admin,
			"FLILIY_GATEWAY_PEER_ADDR=" + addresses.At(octet, peer),
		}
		g.Process = fleet.NewProcess(folder, fmt.Sprint(fleet.Gateway, i),
			[]string{filepath.Join(folder, fleet.Gateway), "serve"}, append(append(own, both...), settings...))
		t.Cleanup(func() {
			report(g.Stop())
			if log, err := os.ReadFile(g.LogFile); err == nil && t.Failed() {
				t.Logf("%s:\n%s", g.Name, log)
			}
		})
		if err := g.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		all[i] = g
	}
	return all
}
