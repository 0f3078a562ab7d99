package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pires/go-proxyproto"

	"github.com/fliliy/chat/gateway/config"
)

const secret = "0123456789abcdef0123456789abcdef"

// command runs one command as main does, with FLILIY_GATEWAY_ variables and none of the caller's.
func command(t *testing.T, environment map[string]string, args ...string) (out string, err error) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, config.Prefix) {
			t.Setenv(name, "")
		}
	}
	for name, value := range environment {
		t.Setenv(config.Prefix+name, value)
	}
	var buffer bytes.Buffer
	err = run(t.Context(), args, &buffer)
	return buffer.String(), err
}

func TestCommands(t *testing.T) {
	good := map[string]string{"JWT_SECRET": secret}
	bad := map[string]string{"JWT_SECRET": "short-secret", "LIMIT_DRAIN_TIME": "-1s"}
	for _, c := range []struct {
		name        string
		environment map[string]string
		args        []string
		out         string // part of the output
		err         string // part of the error; "" is none
	}{
		{name: "none", out: "usage: gateway COMMAND", err: "want one of these commands"},
		{name: "unknown", args: []string{"sevre"}, out: "usage: gateway COMMAND", err: `"sevre"`},
		{name: "version needs no configuration", environment: bad, args: []string{"version"}, out: "devel"},
		{name: "check-config", environment: good, args: []string{"check-config"}, out: "the configuration is valid"},
		{name: "check-config of a bad one", environment: bad, args: []string{"check-config"}, err: "FLILIY_GATEWAY_JWT_SECRET"},
		{name: "check-config names all faults", environment: bad, args: []string{"check-config"}, err: "LIMIT_DRAIN_TIME"},
		{name: "serve with a bad one", environment: bad, args: []string{"serve"}, err: "FLILIY_GATEWAY_JWT_SECRET"},
		{name: "conformance for everybody", args: []string{"conformance", "--addr", "0.0.0.0:0"}, err: "loopback"},
		{name: "conformance of nowhere", args: []string{"conformance", "--addr", ":0"}, err: "loopback"},
		{name: "conformance with more", args: []string{"conformance", "now"}, err: "usage"},
		{name: "probe needs no configuration", environment: bad, args: []string{"probe"}, err: "--room"},
		{name: "probe of nobody", args: []string{"probe", "--room", "1", "--token", ""}, err: "FLILIY_TOKEN"},
		{name: "probe of nowhere", args: []string{"probe", "--room", "1", "--token", "x", "--url", "nowhere"}, err: "address"},
		{name: "gen-token", environment: good, args: []string{"gen-token", "alice", "5m"}, out: "eyJ"},
		{name: "gen-token for nobody", environment: good, args: []string{"gen-token"}, err: "usage: gateway gen-token USER"},
		{name: "gen-token for ever", environment: good, args: []string{"gen-token", "alice", "ever"}, err: "not a duration"},
		{name: "gen-token of a bad user", environment: good, args: []string{"gen-token", "a\nb"}, err: "user"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := command(t, c.environment, c.args...)
			if !strings.Contains(out, c.out) {
				t.Errorf("output %q, want %q in it", out, c.out)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q in it", err, c.err)
			}
			for _, hidden := range []string{secret, "short-secret"} {
				if strings.Contains(out, hidden) || err != nil && strings.Contains(err.Error(), hidden) {
					t.Errorf("the secret is shown: %q, %v", out, err)
				}
			}
		})
	}
}

func TestCheckHealth(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int // of /healthz; 0: nobody listens
		err    string
	}{
		{name: "alive", status: http.StatusOK},
		{name: "not well", status: http.StatusServiceUnavailable, err: "503"},
		{name: "not there", err: "not healthy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/healthz" {
					t.Errorf("asked for %s", r.URL.Path)
				}
				w.WriteHeader(c.status)
			}))
			defer server.Close()
			if c.status == 0 {
				server.Close()
			}
			environment := map[string]string{"JWT_SECRET": secret, "ADDR": server.Listener.Addr().String()}
			out, err := command(t, environment, "check-health")
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q in it", err, c.err)
			}
			if (out == "healthy\n") != (c.err == "") {
				t.Errorf("output %q", out)
			}
		})
	}
}

// The health of a gateway with TLS is asked of the certificate's own holder, and of nobody else; behind the PROXY
// protocol with a header where this machine counts as a proxy.
func TestCheckHealthBehindTLSAndProxies(t *testing.T) {
	healthy := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	secure := httptest.NewTLSServer(healthy)
	defer secure.Close()
	cert, key := filepath.Join(t.TempDir(), "tls.crt"), filepath.Join(t.TempDir(), "tls.key")
	writePair(t, secure.TLS.Certificates[0], cert, key)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	proxied := httptest.NewUnstartedServer(healthy)
	_ = proxied.Listener.Close()
	proxied.Listener = &proxyproto.Listener{Listener: listener, ConnPolicy: func(proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
		return proxyproto.REQUIRE, nil
	}}
	proxied.Start()
	defer proxied.Close()

	for name, c := range map[string]struct {
		environment map[string]string
		healthy     bool
	}{
		"TLS":             {map[string]string{"ADDR": secure.Listener.Addr().String(), "TLS_CERT": cert, "TLS_KEY": key}, true},
		"another server":  {map[string]string{"ADDR": proxied.Listener.Addr().String(), "TLS_CERT": cert, "TLS_KEY": key}, false},
		"TLS, not spoken": {map[string]string{"ADDR": secure.Listener.Addr().String()}, false},
		"a proxy": {map[string]string{
			"ADDR": proxied.Listener.Addr().String(), "PROXY_PROTOCOL": "true", "TRUSTED_PROXIES": "127.0.0.0/8",
		}, true},
		"no proxy": {map[string]string{
			"ADDR": proxied.Listener.Addr().String(), "PROXY_PROTOCOL": "true", "TRUSTED_PROXIES": "10.0.0.0/8",
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c.environment["JWT_SECRET"] = secret
			if _, err := command(t, c.environment, "check-health"); (err == nil) != c.healthy {
				t.Errorf("check-health: %v", err)
			}
		})
	}
}

func writePair(t *testing.T, pair tls.Certificate, cert, key string) {
	t.Helper()
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A gateway whose context has ended before it starts serves nothing and stops at once.
func TestServeStops(t *testing.T) {
	for name, value := range map[string]string{
		"JWT_SECRET": secret, "ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0", "LIMIT_DRAIN_GRACE": "0s",
		"CHATSVC_TARGET": "127.0.0.1:1", "REDIS_URL": "redis://127.0.0.1:1", "NATS_URL": "nats://127.0.0.1:1",
	} {
		t.Setenv(config.Prefix+name, value)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, []string{"serve"}, new(bytes.Buffer)); err != nil {
		t.Errorf("serve = %v", err)
	}
}
