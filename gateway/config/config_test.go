package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/config"
)

const secret = "0123456789abcdef0123456789abcdef"

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
	t.Setenv("FLILIY_GATEWAY_ADDR", "0.0.0.0:80")
	t.Setenv("FLILIY_GATEWAY_NATS_URL", "nats://a:1,nats://b:2")
	t.Setenv("FLILIY_GATEWAY_ORIGINS", "https://shop.example,https://m.shop.example")
	t.Setenv("FLILIY_GATEWAY_JWT_SECRET", secret)
	t.Setenv("FLILIY_GATEWAY_LOG_LEVEL", "warn")
	t.Setenv("FLILIY_GATEWAY_LIMIT_HEART_BEAT", "20s")
	cfg, err := config.Load()
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatalf("Validate: %v", err)
	}
	got := strings.TrimSpace(fmt.Sprintln(
		cfg.Addr, cfg.NATS.URL, cfg.Origins, cfg.Log.Level, cfg.Limits.HeartBeat, cfg.JWT.Claim))
	want := "0.0.0.0:80 nats://a:1,nats://b:2 [https://shop.example https://m.shop.example] WARN 20s sub"
	if got != want {
		t.Errorf("Load = %q, want %q", got, want)
	}
}

func TestLoadRefusesWhatItCannotRead(t *testing.T) {
	t.Setenv("FLILIY_GATEWAY_LIMIT_BODY_BYTES", "many")
	if _, err := config.Load(); err == nil || !strings.Contains(err.Error(), "BodyBytes") {
		t.Fatalf("Load = %v, want an error that names BodyBytes", err)
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
	cfg.JWT = config.JWT{Secret: "short-secret", Leeway: -1}
	cfg.Origins = []string{"*", "https://a.example/", "shop.example"}
	cfg.Limits = config.Limits{BodyBytes: 1, SendQueueBytes: 1, HeartBeat: 1, DrainTime: -1}
	cfg.Log.Format = "xml"
	err := cfg.Validate()
	if err == nil {
		t.Fatal("Validate found nothing")
	}
	for _, variable := range []string{
		"ADDR", "ADMIN_ADDR", "CHATSVC_TARGET", "NATS_URL", "REDIS_URL", "JWT_SECRET", "JWT_USER_CLAIM", "JWT_LEEWAY",
		"ORIGINS", "LIMIT_BODY_BYTES", "LIMIT_SEND_QUEUE_BYTES", "LIMIT_SUBSCRIPTIONS", "LIMIT_HEART_BEAT",
		"LIMIT_DRAIN_TIME", "LOG_FORMAT",
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
	cfg.NATS = config.NATS{URL: "nats://u:hunter1@nats:4222", User: "gateway", Password: "hunter2"}
	cfg.RedisURL = "redis://u:hunter3@redis:6379"
	printed := fmt.Sprintf("%+v", cfg.Redacted())
	for _, hidden := range []string{secret, "hunter1", "hunter2", "hunter3"} {
		if strings.Contains(printed, hidden) {
			t.Errorf("Redacted shows %q: %s", hidden, printed)
		}
	}
	if cfg.JWT.Secret != secret {
		t.Error("Redacted changed the original")
	}
}
