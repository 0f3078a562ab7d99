package e2e_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
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
	names := make([]string, crowdSize)
	for i := range names {
		names[i] = fmt.Sprint("member", i)
	}
	people := s.people(t, names...)
	room := s.room(t, people[0], people[1:]...)
	members := make([]map[string]string, crowdSize)
	for i, who := range people {
		members[i] = map[string]string{"user": who.id, "token": who.token}
	}
	gateways := s.gateways(t)
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
