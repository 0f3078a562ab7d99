package lb_test

import (
	"errors"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// HAProxy accepts the files as they are, without Docker and without a warning.
func TestConfigurationIsValid(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"haproxy.cfg", "haproxy-tcp.cfg"} {
		output, err := exec.Command(program(t), "-c", "-f", file).CombinedOutput()
		if err != nil {
			t.Errorf("haproxy -c -f %s: %v\n%s", file, err, output)
		}
		if text := string(output); strings.Contains(text, "WARNING") || strings.Contains(text, "ALERT") {
			t.Errorf("haproxy -c -f %s warns:\n%s", file, text)
		}
	}
}

// One life of a system behind HAProxy: two gateways share the connections, one becomes unready and gets no new ones
// while its old ones live on, a third is added by DNS alone, and one is taken away.
func TestGatewaysComeAndGo(t *testing.T) {
	t.Parallel()
	gateways, port := startBackends(t, 3)
	names := startDNS(t)
	l := startLB(t, names.conn.LocalAddr().String(), port)

	if _, err := l.connect(t, nil); !errors.Is(err, errNoGateway) {
		t.Fatalf("without any gateway: %v, want HTTP 503", err)
	}

	names.set(gateways[0].ip, gateways[1].ip)
	clients := refill(t, l, evenly(t, l, gateways[:2]), gateways[0])

	gateways[0].notReady.Store(true)
	await(t, "new connections go to the ready gateway only", func() bool {
		for range 4 { // one more than the old ones there, so that least connections alone would choose the other
			c, err := l.connect(t, nil)
			if err != nil || c.gateway == gateways[0].name() {
				return false
			}
			_ = c.CloseNow()
		}
		return true
	})
	for i, c := range clients {
		if err := c.echo("still here"); err != nil {
			t.Errorf("connection %d to %s after a gateway became unready: %v", i, c.gateway, err)
		}
	}

	gateways[0].notReady.Store(false)
	names.set(gateways[0].ip, gateways[1].ip, gateways[2].ip)
	await(t, "the gateway that was added gets a connection", func() bool {
		c, err := l.connect(t, nil)
		return err == nil && c.gateway == gateways[2].name()
	})

	names.set(gateways[1].ip, gateways[2].ip)
	await(t, "the gateway that was removed gets no connection", func() bool {
		for range 4 {
			c, err := l.connect(t, nil)
			if err != nil || c.gateway == gateways[0].name() {
				return false
			}
			_ = c.CloseNow()
		}
		return true
	})
}

// evenly opens connections once all gateways are up, and holds that each gateway gets as many: least connections, and
// no stickiness though all come from one address and show one cookie.
func evenly(t *testing.T, l *lb, gateways []*backend) []*client {
	t.Helper()
	seen := map[string]bool{}
	await(t, "all gateways are in service", func() bool {
		c, err := l.connect(t, nil)
		if err == nil {
			seen[c.gateway] = true
			_ = c.CloseNow()
		}
		return len(seen) == len(gateways)
	})
	const each = 5
	var clients []*client
	await(t, "the connections so far are closed for HAProxy too, so that it counts from nothing", func() bool {
		for _, c := range clients {
			_ = c.CloseNow()
		}
		clients = clients[:0]
		count := map[string]int{}
		for range each * len(gateways) {
			c := l.mustConnect(t, http.Header{"Cookie": {"SERVERID=gateway-1"}})
			clients = append(clients, c)
			count[c.gateway]++
		}
		for _, n := range count {
			if n != each {
				return false
			}
		}
		return len(count) == len(gateways)
	})
	return clients
}

// refill closes the connections of one gateway, and holds that it gets all the next ones: it has the fewest.
func refill(t *testing.T, l *lb, clients []*client, gateway *backend) []*client {
	t.Helper()
	others := slices.DeleteFunc(slices.Clone(clients), func(c *client) bool { return c.gateway == gateway.name() })
	missing := len(clients) - len(others)
	await(t, "the gateway with the fewest connections gets all new ones, once HAProxy has seen the others close", func() bool {
		for _, c := range clients {
			if c.gateway == gateway.name() {
				_ = c.CloseNow()
			}
		}
		clients = slices.Clone(others)
		for range missing {
			c := l.mustConnect(t, nil)
			if c.gateway != gateway.name() {
				_ = c.CloseNow()
				return false
			}
			clients = append(clients, c)
		}
		return true
	})
	return clients
}

// What a client and a gateway agree on passes through; what a client claims about its address does not.
func TestUpgradePassesThrough(t *testing.T) {
	t.Parallel()
	gateways, port := startBackends(t, 1)
	names := startDNS(t)
	names.set(gateways[0].ip)
	l := startLB(t, names.conn.LocalAddr().String(), port)

	var c *client
	await(t, "the gateway is in service", func() bool {
		var err error
		c, err = l.connect(t, http.Header{
			"X-Forwarded-For": {"203.0.113.7"}, "Authorization": {"Bearer abc"}, "Origin": {"http://" + l.public},
		})
		return err == nil
	})
	if c.Subprotocol() != "v12.stomp" {
		t.Errorf("subprotocol %q, want v12.stomp", c.Subprotocol())
	}
	c.SetReadLimit(1 << 20)
	if err := c.echo(strings.Repeat("売", 64<<10/3)); err != nil {
		t.Errorf("a large message: %v", err)
	}
	header := <-gateways[0].seen
	if got := header.Values("X-Forwarded-For"); len(got) != 1 || got[0] != "127.0.0.1" {
		t.Errorf("X-Forwarded-For %q, want HAProxy's own word only", got)
	}
	if header.Get("Authorization") != "Bearer abc" || header.Get("Origin") != "http://"+l.public {
		t.Errorf("headers %v, want Authorization and Origin as sent", header)
	}
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("close handshake through HAProxy: %v", err)
	}
	if got := status(t, "http://"+l.public+"/readyz"); got != http.StatusOK {
		t.Errorf("plain HTTP: status %d", got)
	}
	if strings.Contains(l.output.String(), "secret-token") {
		t.Errorf("a token is in HAProxy's log:\n%s", l.output)
	}
}
