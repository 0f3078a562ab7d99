package security_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	chatsvc "github.com/fliliy/chat/chatsvc"
	chatconfig "github.com/fliliy/chat/chatsvc/config"
	"github.com/fliliy/chat/gateway"
	gatewayconfig "github.com/fliliy/chat/gateway/config"
	"github.com/fliliy/chat/gateway/redistest"
	"github.com/fliliy/chat/proto/identity"
	"github.com/fliliy/chat/proto/identity/identitytest"
)

const patience = 60 * time.Second

// world is everything a gateway talks to, each behind TLS and asking who is there.
type world struct {
	authority *identitytest.Authority
	natsURL   string
	redisURL  string // with %s for user:password
	chatsvc   *chatsvc.Service
}

var secret = strings.Repeat("s", identity.MinSecret)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{authority: identitytest.NewAuthority(t)}
	w.natsURL = startNATS(t, w.authority.Issue("nats"))
	files := w.authority.Issue("redis")
	port := freePort(t)
	redistest.New(t, "--tls-port", port, "--tls-cert-file", files.Cert, "--tls-key-file", files.Key,
		"--tls-ca-cert-file", files.CA, "--tls-auth-clients", "yes",
		"--user", "gateway", "on", ">gatewayspassword", "~*", "&*", "+@all",
		"--user", "chatsvc", "on", ">itspassword", "%R~websocket:*", "%R~fliliy:presence:seen:*", "+get", "+mget", "+scard")
	w.redisURL = "rediss://%s@127.0.0.1:" + port

	cfg := chatconfig.Default()
	cfg.Addr, cfg.AdminAddr = "127.0.0.1:0", "127.0.0.1:0"
	cfg.DatabaseURL = "sqlite:" + filepath.Join(t.TempDir(), "chat.db")
	cfg.TLS = w.authority.Issue("chatsvc")
	cfg.Callers = []chatconfig.Caller{{
		Credential: identity.Credential{Name: "gateway", Secret: secret}, Role: chatconfig.RoleGateway,
	}}
	cfg.NATS = chatconfig.NATS{URL: w.natsURL, User: "chatsvc", Password: "itspassword", TLS: cfg.TLS}
	cfg.RedisURL, cfg.RedisTLS = strings.Replace(w.redisURL, "%s", "chatsvc:itspassword", 1), cfg.TLS
	var err error
	if w.chatsvc, err = chatsvc.New(cfg, chatsvc.WithLogger(slog.New(slog.DiscardHandler))); err != nil {
		t.Fatal(err)
	}
	runUntilEnd(t, w.chatsvc.Run)
	<-w.chatsvc.Ready()
	cfg.Addr = w.chatsvc.Addr()
	if err := chatsvc.CheckHealth(t.Context(), cfg); err != nil {
		t.Errorf("check-health: %v", err)
	}
	return w
}

// startNATS runs nats-server with the users of the compose file, and certificates of both sides.
func startNATS(t *testing.T, files identity.TLS) string {
	t.Helper()
	t.Setenv("NATS_GATEWAY_PASSWORD", `"gatewayspassword"`)
	t.Setenv("NATS_CHATSVC_PASSWORD", `"itspassword"`)
	opts, err := server.ProcessConfigFile(filepath.Join(root, "deploy/compose/nats.conf"))
	if err != nil {
		t.Fatal(err)
	}
	opts.Host, opts.Port, opts.HTTPPort, opts.NoSigs, opts.NoLog = "127.0.0.1", server.RANDOM_PORT, 0, true, true
	opts.TLS, opts.TLSVerify, opts.TLSTimeout = true, true, 10
	if opts.TLSConfig, err = files.Server(); err != nil {
		t.Fatal(err)
	}
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("nats-server is not ready")
	}
	return "tls://" + s.Addr().String()
}

// gateway is the configuration of a gateway that everybody here knows.
func (w *world) gateway() gatewayconfig.Config {
	cfg := gatewayconfig.Default()
	cfg.Addr, cfg.AdminAddr = "127.0.0.1:0", "127.0.0.1:0"
	cfg.JWT.Secret = secret
	cfg.ChatsvcTarget, cfg.ChatsvcCredential = w.chatsvc.Addr(), "gateway:"+secret
	cfg.ChatsvcTLS = w.authority.Issue("gateway")
	cfg.NATS = gatewayconfig.NATS{URL: w.natsURL, User: "gateway", Password: "gatewayspassword", TLS: cfg.ChatsvcTLS}
	cfg.RedisURL, cfg.RedisTLS = strings.Replace(w.redisURL, "%s", "gateway:gatewayspassword", 1), cfg.ChatsvcTLS
	cfg.Limits.DrainGrace, cfg.Limits.DrainTime = 0, time.Second
	return cfg
}

// readiness is what a gateway tells operators.
type readiness struct {
	Ready             bool
	Failing, Degraded []struct{ Name, Reason string }
}

// open starts a gateway.
func open(t *testing.T, cfg gatewayconfig.Config) *gateway.Gateway {
	t.Helper()
	g, err := gateway.New(cfg, gateway.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	runUntilEnd(t, g.Run)
	return g
}

// until polls readiness until it satisfies.
func until(t *testing.T, g *gateway.Gateway, what string, good func(readiness) bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		var r readiness
		_, body := call(t, http.MethodGet, "http://"+g.AdminAddr()+"/readyz", "", nil)
		if err := json.Unmarshal(body, &r); err != nil {
			t.Fatalf("readyz: %s: %v", body, err)
		}
		if good(r) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not in %v: %s; readyz says %s", patience, what, body)
		}
		<-time.After(50 * time.Millisecond)
	}
}

func call(t *testing.T, method, url, token string, body any) (int, []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer
}

// TestThreat34Services has every connection between services protected. A gateway whom all know works; one with a single
// thing wrong does not get ready, and tells its operators what it is.
func TestThreat34Services(t *testing.T) {
	w := newWorld(t)
	good := open(t, w.gateway())
	until(t, good, "a gateway whom everybody knows is ready", func(r readiness) bool {
		return r.Ready && len(r.Degraded) == 0
	})
	token, err := gateway.SignToken(secret, "alice", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + good.Addr() + "/api/v1"
	if status, body := call(t, http.MethodPost, base+"/chat-rooms", token, map[string]any{"name": "x"}); status != http.StatusCreated {
		t.Errorf("make a room: %d %s", status, body)
	}
	deadline := time.Now().Add(patience) // chatsvc gives Redis 50 ms, and a busy machine may need another try
	for {
		status, body := call(t, http.MethodGet, base+"/presence?userIds=alice", token, nil)
		if status == http.StatusOK && strings.Contains(string(body), `"offline"`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("presence, which chatsvc reads from Redis: %d %s", status, body)
		}
		<-time.After(200 * time.Millisecond)
	}

	others := identitytest.NewAuthority(t)
	strange := others.Issue("strange")
	for name, tc := range map[string]struct {
		spoil       func(*gatewayconfig.Config)
		check, says string
	}{
		"another secret":      {func(c *gatewayconfig.Config) { c.ChatsvcCredential = "gateway:" + strings.Repeat("x", 32) }, "revocations", "credential"},
		"another caller":      {func(c *gatewayconfig.Config) { c.ChatsvcCredential = "orders:" + secret }, "revocations", "credential"},
		"no credential":       {func(c *gatewayconfig.Config) { c.ChatsvcCredential = "" }, "revocations", "credential"},
		"no TLS":              {func(c *gatewayconfig.Config) { c.ChatsvcTLS = identity.TLS{} }, "chatsvc", "down"},
		"no certificate":      {func(c *gatewayconfig.Config) { c.ChatsvcTLS.Cert, c.ChatsvcTLS.Key = "", "" }, "chatsvc", "down"},
		"a stranger's":        {func(c *gatewayconfig.Config) { c.ChatsvcTLS.Cert, c.ChatsvcTLS.Key = strange.Cert, strange.Key }, "chatsvc", "down"},
		"another authority":   {func(c *gatewayconfig.Config) { c.ChatsvcTLS.CA = others.CA() }, "chatsvc", "down"},
		"NATS password":       {func(c *gatewayconfig.Config) { c.NATS.Password = "wrong" }, "nats", "uthorization"},
		"NATS authority":      {func(c *gatewayconfig.Config) { c.NATS.TLS.CA = others.CA() }, "nats", "certificate"},
		"NATS no certificate": {func(c *gatewayconfig.Config) { c.NATS.TLS.Cert, c.NATS.TLS.Key = "", "" }, "nats", "certificate"},
		"Redis password": {func(c *gatewayconfig.Config) {
			c.RedisURL = strings.Replace(w.redisURL, "%s", "gateway:wrong", 1)
		}, "redis", "WRONGPASS"},
		"Redis authority": {func(c *gatewayconfig.Config) { c.RedisTLS.CA = others.CA() }, "redis", "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := w.gateway()
			tc.spoil(&cfg)
			g := open(t, cfg)
			until(t, g, tc.check+" says "+tc.says, func(r readiness) bool {
				return slices.ContainsFunc(append(r.Failing, r.Degraded...), func(f struct{ Name, Reason string }) bool {
					return f.Name == tc.check && strings.Contains(f.Reason, tc.says)
				})
			})
		})
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// runUntilEnd runs a part until the test ends.
func runUntilEnd(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}
