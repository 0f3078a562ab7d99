package e2e_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fliliy/chat/deploy/fleet"
	"github.com/fliliy/chat/gateway"
)

// crowdTime is how long TestPollingCrowd has its members talk before it kills a gateway, and after that.
var crowdTime = flag.Duration("crowd", 2*time.Second, "how long the polling crowd talks before a gateway is killed, and after it")

const crowdSize = 20

// crowdAccount is what interop/crowd.mjs knows of all lines and members so far.
type crowdAccount struct {
	Said, Acknowledged, Received, Lost, Doubled, Changed, Restarts int
	Incomplete                                                     []string
	Back                                                           []int // milliseconds after the kill, -1: not back
}

// TestPollingCrowd: members of a room, each forced to poll, chat through a load balancer that sends every request to the
// other of two gateways, in processes of their own. No line is lost or doubled and no session starts over; then one
// gateway is killed (SIGKILL), and all come back to the other and have everything. With -crowd 1m -v it measures.
func TestPollingCrowd(t *testing.T) {
	s := stages[1] // PostgreSQL and Redis, as in production
	const secret = "a secret of this test alone, which is long enough"
	names := make([]string, crowdSize)
	for i := range names {
		names[i] = fmt.Sprint("member", i)
	}
	people := s.people(t, names...)
	room := s.room(t, people[0], people[1:]...)
	members := make([]map[string]string, crowdSize)
	for i, who := range people {
		token, err := gateway.SignToken(secret, who.id, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		members[i] = map[string]string{"user": who.id, "token": token}
	}
	gateways := startGateways(t, s, secret)
	crowd := startPollingCrowd(t, map[string]any{
		"url":  "http://" + startBalancer(t, gateways[0].addr, gateways[1].addr) + "/ws",
		"room": room, "members": members, "every": 1000, "reconnect": 500, "patience": patience.Milliseconds(),
	})

	crowd.do("start")
	<-time.After(*crowdTime)
	calm := crowd.do("pause")
	t.Logf("calm, %v: %+v", *crowdTime, calm)
	crowd.judge(&calm)
	if calm.Restarts != 0 {
		t.Errorf("%d sessions started over", calm.Restarts)
	}
	if held := gateways[0].sessions(t) + gateways[1].sessions(t); held != crowdSize {
		t.Errorf("the gateways hold %v sessions, want %d", held, crowdSize)
	}
	crowd.do("resume")
	mine := gateways[0].sessions(t)
	crowd.do("kill")
	gateways[0].Kill()
	<-time.After(*crowdTime)
	after := crowd.do("pause")
	slices.Sort(after.Back)
	t.Logf("after a gateway with %v sessions was killed, %v: %+v", mine, *crowdTime, after)
	crowd.judge(&after)
	if len(after.Back) == 0 || slices.Contains(after.Back, -1) {
		t.Errorf("came back after %v ms, want everybody who had to", after.Back)
	}
	eventually(t, "the gateway that is left holds the sessions there are, and none of those that were cut off", func() bool {
		return gateways[1].sessions(t) == crowdSize
	})
}

// judge wants everything to have reached everybody, once.
func (c *pollingCrowd) judge(a *crowdAccount) {
	c.t.Helper()
	if a.Lost+a.Doubled+a.Changed+len(a.Incomplete) > 0 || a.Acknowledged != a.Said || a.Received != a.Said*crowdSize || a.Said == 0 {
		c.t.Errorf("not everything reached everybody once: %+v", *a)
	}
}

// gatewayProcess is a gateway in a process of its own.
type gatewayProcess struct {
	fleet.Node
	addr string
}

// sessions is how many SockJS sessions live there.
func (g *gatewayProcess) sessions(t *testing.T) float64 {
	t.Helper()
	n, err := g.Metric(t.Context(), "fliliy_gateway_sockjs_sessions")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// startGateways starts two gateways beside those of a stage, with a token secret of their own.
func startGateways(t *testing.T, s *stage, secret string) []*gatewayProcess {
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
	all := make([]*gatewayProcess, 2)
	for i := range all {
		g := &gatewayProcess{addr: addresses.At(2+i, 8080)}
		g.Admin = addresses.At(2+i, 8090)
		name := fmt.Sprint("gateway-", i)
		g.Process = fleet.NewProcess(folder, name, []string{filepath.Join(folder, fleet.Gateway), "serve"}, []string{
			"FLILIY_GATEWAY_ADDR=" + g.addr, "FLILIY_GATEWAY_ADMIN_ADDR=" + g.Admin,
			"FLILIY_GATEWAY_CHATSVC_TARGET=" + s.stack.Chatsvc.Addr(), "FLILIY_GATEWAY_NATS_URL=" + s.stack.NATSURL,
			"FLILIY_GATEWAY_REDIS_URL=" + s.stack.RedisURL, "FLILIY_GATEWAY_JWT_SECRET=" + secret,
			"FLILIY_GATEWAY_PEER_ADDR=" + addresses.At(2+i, 8092), "FLILIY_GATEWAY_PEER_SECRET=between gateways: " + secret,
			"FLILIY_GATEWAY_RATE_OFF=true", "FLILIY_GATEWAY_LIMIT_CONNECTIONS_PER_ADDRESS=0",
			"FLILIY_GATEWAY_LIMIT_DRAIN_GRACE=0", "FLILIY_GATEWAY_LIMIT_DRAIN_TIME=1s", "FLILIY_GATEWAY_LOG_FORMAT=text",
		})
		if err := g.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			report(g.Stop())
			if log, err := os.ReadFile(g.LogFile); err == nil && t.Failed() {
				t.Logf("%s:\n%s", name, log)
			}
		})
		all[i] = g
	}
	return all
}

// pollingCrowd is a running interop/crowd.mjs.
type pollingCrowd struct {
	t       *testing.T
	orders  io.Writer
	answers *json.Decoder
}

func startPollingCrowd(t *testing.T, orders any) *pollingCrowd {
	t.Helper()
	node := exec.Command("node", "crowd.mjs")
	node.Dir, node.Stderr = "interop", os.Stderr
	stdin, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		if err := node.Wait(); err != nil {
			t.Errorf("node crowd.mjs: %v", err)
		}
	})
	if err := json.NewEncoder(stdin).Encode(orders); err != nil {
		t.Fatal(err)
	}
	return &pollingCrowd{t, stdin, json.NewDecoder(bufio.NewReader(stdout))}
}

// do gives a command and waits until it is done.
func (c *pollingCrowd) do(command string) (account crowdAccount) {
	c.t.Helper()
	if _, err := io.WriteString(c.orders, command+"\n"); err != nil {
		c.t.Fatalf("%s: %v", command, err)
	}
	if err := c.answers.Decode(&account); err != nil {
		c.t.Fatalf("%s: %v", command, err)
	}
	return account
}
