package e2e_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// startBalancer runs Debian's HAProxy in front of some gateways, with the configuration of deploy/lb but for the
// addresses and the order: every single request goes to the next gateway in turn. It returns its address.
func startBalancer(t *testing.T, gateways ...string) string {
	t.Helper()
	addr := freeAddr(t)
	config := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(config, balancerConfig(t, addr, gateways), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath("haproxy")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/haproxy") // where Debian's package puts it, which is on few people's PATH
	}
	if err != nil {
		t.Fatalf("%v: `make setup` installs it", err)
	}
	var said lockedBuffer
	haproxy := exec.Command(path, "-db", "-f", config)
	haproxy.Stdout, haproxy.Stderr = &said, &said
	if err := haproxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = haproxy.Process.Kill()
		_ = haproxy.Wait()
		if t.Failed() {
			t.Logf("HAProxy said:\n%s", said.String())
		}
	})
	eventually(t, "the load balancer answers", func() bool {
		response, err := http.Get("http://" + addr + "/healthz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return addr
}

func balancerConfig(t *testing.T, addr string, gateways []string) []byte {
	t.Helper()
	text, err := os.ReadFile("../lb/haproxy.cfg")
	if err != nil {
		t.Fatal(err)
	}
	var servers strings.Builder
	for i, gateway := range gateways {
		fmt.Fprintf(&servers, "server gateway-%d %s\n\t", i, gateway)
	}
	for _, change := range []struct{ was, is string }{
		{"bind :8080", "bind " + addr},
		{"bind 127.0.0.1:8404", "bind " + freeAddr(t)},
		{"balance leastconn", "balance roundrobin"},
		{" resolvers docker init-addr none", ""},
		{"server-template gateway- 20 gateway:8080", strings.TrimSpace(servers.String())},
		{"maxconn 30000", "maxconn 1000"},
	} {
		if n := bytes.Count(text, []byte(change.was)); n != 1 {
			t.Fatalf("haproxy.cfg has %q %d times, want once", change.was, n)
		}
		text = bytes.ReplaceAll(text, []byte(change.was), []byte(change.is))
	}
	return text
}

func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// lockedBuffer is a bytes.Buffer that may be read while a process still writes.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
