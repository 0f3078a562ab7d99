package config_test

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fliliy/chat/gateway/config"
)

const (
	secret     = "0123456789abcdef0123456789abcdef"
	peerSecret = "fedcba9876543210fedcba9876543210"
)

func valid() config.Config {
	cfg := config.Default()
	cfg.JWT.Secret = secret
	return cfg
}

func TestDefaultNeedsOnlyASecret(t *testing.T) {
	t.Parallel()
	cfg := valid()
	if err := cfg.Validate(); err != nil {
		t.Fatalf("Validate: %v", err)
	}
	cfg.JWT.Secret = ""
	if err := cfg.Validate(); err == nil {
		t.Fatal("Validate accepts an empty secret")
	}
}

func TestLoadReadsTheEnvironment(t *testing.T) {
	t.Parallel()
	cfg, err := config.LoadFrom(map[string]string{
		"FLILIY_GATEWAY_ADDR":               "0.0.0.0:80",
		"FLILIY_GATEWAY_ADMIN_ADDR":         "",
		"FLILIY_GATEWAY_NATS_URL":           "nats://a:1,nats://b:2",
		"FLILIY_GATEWAY_ORIGINS":            "https://shop.example,https://m.shop.example",
		"FLILIY_GATEWAY_JWT_SECRET":         secret,
		"FLILIY_GATEWAY_LOG_LEVEL":          "warn",
		"FLILIY_GATEWAY_LIMIT_HEART_BEAT":   "20s",
		"FLILIY_GATEWAY_LIMIT_DRAIN_GRACE":  "0s",
		"FLILIY_GATEWAY_LIMIT_RECENT_BYTES": "1048576",
		"FLILIY_GATEWAY_RATE_SESSION_SEND":  "0.5/10",
		"FLILIY_GATEWAY_RATE_STRIKES":       "0",
		"FLILIY_GATEWAY_TRUSTED_PROXIES":    "10.0.0.0/8,::1/128",
		"FLILIY_GATEWAY_PRESENCE_DEBOUNCE":  "0s",
		"FLILIY_GATEWAY_PROXY_PROTOCOL":     "true",

		"FLILIY_GATEWAY_LIMIT_HEADERS":            "50",
		"FLILIY_GATEWAY_LIMIT_HEADER_LINE_BYTES":  "4096",
		"FLILIY_GATEWAY_LIMIT_PRE_AUTH_BYTES":     "4096",
		"FLILIY_GATEWAY_LIMIT_PRE_AUTH_TIME":      "5s",
		"FLILIY_GATEWAY_LIMIT_TRANSACTIONS":       "2",
		"FLILIY_GATEWAY_LIMIT_TRANSACTION_FRAMES": "10",
		"FLILIY_GATEWAY_LIMIT_TRANSACTION_BYTES":  "2048",
		"FLILIY_GATEWAY_PEER_ADDR":                "10.0.0.7:8092",
		"FLILIY_GATEWAY_PEER_URL":                 "http://gateway-7:8092",
		"FLILIY_GATEWAY_PEER_SECRET":              peerSecret,
		"FLILIY_GATEWAY_SOCKJS_JSONP":             "true",
		"FLILIY_GATEWAY_SOCKJS_HTMLFILE":          "true",
		"FLILIY_GATEWAY_SOCKJS_CLIENT_URL":        "/sockjs.js",
	})
	if err != nil {
		t.Fatalf("LoadFrom: %v", err)
	}
	want := valid()
	want.Addr, want.AdminAddr, want.NATS.URL = "0.0.0.0:80", "", "nats://a:1,nats://b:2"
	want.Origins = []string{"https://shop.example", "https://m.shop.example"}
	want.Log.Level, want.Limits.HeartBeat = slog.LevelWarn, 20*time.Second
	want.Limits.DrainGrace, want.Limits.RecentBytes = 0, 1<<20
	want.PresenceDebounce = 0
	want.Peer = config.Peer{Addr: "10.0.0.7:8092", URL: "http://gateway-7:8092", Secret: peerSecret}
	want.SockJS = config.SockJS{JSONP: true, HTMLFile: true, ClientURL: "/sockjs.js"}
	want.Rates.SessionSend, want.Rates.Strikes = config.Rate{PerSecond: 0.5, Burst: 10}, config.Rate{}
	want.ProxyProtocol = true
	want.Limits.Headers, want.Limits.HeaderLineBytes = 50, 4096
	want.Limits.PreAuth = config.PreAuth{StrangerBytes: 4096, StrangerTime: 5 * time.Second}
	want.Limits.Transactions = config.Transactions{Open: 2, TransactionFrames: 10, TransactionBytes: 2048}
	want.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	if diff := cmp.Diff(want, cfg, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("LoadFrom (-want +got):\n%s", diff)
	}
}

func TestLoadNamesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	_, err := config.LoadFrom(map[string]string{
		"FLILIY_GATEWAY_LIMIT_BODY_BYTES": "many", "FLILIY_GATEWAY_LOG_LEVEL": "loud",
		"FLILIY_GATEWAY_RATE_USER_SEND": "many",
	})
	for _, variable := range []string{"LIMIT_BODY_BYTES", "LOG_LEVEL", "JWT_SECRET", "RATE_USER_SEND"} {
		if err == nil || !strings.Contains(err.Error(), "FLILIY_GATEWAY_"+variable) {
			t.Errorf("LoadFrom = %v, want an error that names %s", err, variable)
		}
	}
}

func TestValidateNamesEveryFaultAndNoSecret(t *testing.T) {
	t.Parallel()
	cfg := valid()
	cfg.Addr = "8080"
	cfg.AdminAddr = "nowhere"
	cfg.ChatsvcTarget = ""
	cfg.NATS.URL = "localhost"
	cfg.RedisURL = "http://:hunter2@redis"
	cfg.PresenceDebounce = time.Hour
	cfg.JWT = config.JWT{
		Secret: "short-secret", PreviousSecret: "-----BEGIN PUBLIC KEY----- no secret", Leeway: -1,
		PublicKeys: []string{"/nowhere.pem"}, JWKSURL: "http://login.example/keys",
	}
	cfg.Origins = []string{"*", "https://a.example/", "shop.example"}
	cfg.ChatsvcCredential = "gateway:hunter2"
	cfg.Limits = config.Limits{
		BodyBytes: 1, SendQueueBytes: 1, HeartBeat: 1, DrainTime: -1, DrainGrace: -1,
		Connections: -1, ConnectionsPerUser: -1, ConnectionsPerAddress: -1, SocketBuffer: 1,
	}
	cfg.ProxyProtocol, cfg.TLS.Cert = true, "tls.crt"
	cfg.Rates.SessionSend = config.Rate{PerSecond: -1, Burst: 1}
	cfg.Rates.BadTokens, cfg.Rates.RoomSend = config.Rate{PerSecond: 1}, config.Rate{PerSecond: 1e7, Burst: 1}
	cfg.Log.Format = "xml"
	err := cfg.Validate()
	if err == nil {
		t.Fatal("Validate found nothing")
	}
	for _, variable := range []string{
		"ADDR", "ADMIN_ADDR", "CHATSVC_TARGET", "CHATSVC_CREDENTIAL", "NATS_URL", "REDIS_URL", "PRESENCE_DEBOUNCE", "JWT_SECRET",
		"JWT_PREVIOUS_SECRET", "JWT_PUBLIC_KEY", "JWT_JWKS_URL", "JWT_USER_CLAIM", "JWT_LEEWAY",
		"ORIGINS", "LIMIT_BODY_BYTES", "LIMIT_SEND_QUEUE_BYTES", "LIMIT_SUBSCRIPTIONS", "LIMIT_HEART_BEAT",
		"LIMIT_HEADERS", "LIMIT_HEADER_LINE_BYTES", "LIMIT_PRE_AUTH_BYTES", "LIMIT_PRE_AUTH_TIME",
		"LIMIT_TRANSACTIONS", "LIMIT_TRANSACTION_FRAMES", "LIMIT_TRANSACTION_BYTES", "PROXY_PROTOCOL", "TLS_KEY",
		"LIMIT_DRAIN_TIME", "LIMIT_DRAIN_GRACE", "LIMIT_RECENT_BYTES", "LOG_FORMAT",
		"LIMIT_CONNECTIONS", "LIMIT_CONNECTIONS_PER_USER", "LIMIT_CONNECTIONS_PER_ADDRESS", "LIMIT_SOCKET_BUFFER",
		"RATE_SESSION_SEND", "RATE_BAD_TOKENS", "RATE_ROOM_SEND",
	} {
		if !strings.Contains(err.Error(), "FLILIY_GATEWAY_"+variable+":") {
			t.Errorf("the error does not name %s:\n%v", variable, err)
		}
	}
	for _, secret := range []string{"short-secret", "hunter2"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows the secret %q:\n%v", secret, err)
		}
	}
	if got := strings.Count(err.Error(), "FLILIY_GATEWAY_ORIGINS:"); got != 3 {
		t.Errorf("%d bad origins are named, want 3", got)
	}
}

func TestRedactedHidesSecrets(t *testing.T) {
	t.Parallel()
	cfg := valid()
	cfg.NATS = config.NATS{URL: "nats://u:hunter1@a:4222,nats://hunter4@b:4222", User: "gateway", Password: "hunter2"}
	cfg.RedisURL, cfg.AdminToken = "redis://u:hunter3@redis:6379", "hunter5"
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("start", "config", cfg)
	printed := fmt.Sprintf("%+v", cfg.Redacted()) + logged.String()
	for _, hidden := range []string{secret, "hunter1", "hunter2", "hunter3", "hunter4", "hunter5"} {
		if strings.Contains(printed, hidden) {
			t.Errorf("Redacted shows %q: %s", hidden, printed)
		}
	}
	if cfg.JWT.Secret != secret {
		t.Error("Redacted changed the original")
	}
}
