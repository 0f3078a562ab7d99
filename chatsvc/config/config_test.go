package config_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fliliy/chat/chatsvc/config"
	"github.com/fliliy/chat/proto/identity"
)

func TestLoadFromDefaults(t *testing.T) {
	t.Parallel()
	got, err := config.LoadFrom(map[string]string{"FLILIY_CHATSVC_DATABASE_URL": "sqlite:chat.db"})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.DatabaseURL = "sqlite:chat.db"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

func TestLoadFromEveryVariable(t *testing.T) {
	t.Parallel()
	got, err := config.LoadFrom(map[string]string{
		"FLILIY_CHATSVC_ADDR":                   ":7000",
		"FLILIY_CHATSVC_ADMIN_ADDR":             "",
		"FLILIY_CHATSVC_DATABASE_URL":           "postgres://chat:pw@db/chat",
		"FLILIY_CHATSVC_NATS_URL":               "nats://a:4222,nats://b:4222",
		"FLILIY_CHATSVC_CALLERS":                "orders:service:" + strings.Repeat("s", 32),
		"FLILIY_CHATSVC_NATS_USER":              "chatsvc",
		"FLILIY_CHATSVC_NATS_PASSWORD":          "pw",
		"FLILIY_CHATSVC_RPC_CALL_TIMEOUT":       "3s",
		"FLILIY_CHATSVC_RPC_MAX_MESSAGE_BYTES":  "1048576",
		"FLILIY_CHATSVC_RPC_MAX_CONNECTION_AGE": "30m",
		"FLILIY_CHATSVC_LOG_LEVEL":              "debug",
		"FLILIY_CHATSVC_LOG_FORMAT":             "text",
		"FLILIY_CHATSVC_EDIT_WINDOW":            "1h",
		"FLILIY_CHATSVC_RECALL_WINDOW":          "0",
		"FLILIY_CHATSVC_TOKEN_LIFE":             "24h",
		"FLILIY_CHATSVC_BATCH_SIZE":             "64",
		"FLILIY_CHATSVC_SHUTDOWN_TIMEOUT":       "5s",
		"ADDR":                                  "not ours",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Config{
		Addr: ":7000",
		Callers: []config.Caller{{
			Credential: identity.Credential{Name: "orders", Secret: strings.Repeat("s", 32)}, Role: config.RoleService,
		}},
		DatabaseURL:     "postgres://chat:pw@db/chat",
		NATS:            config.NATS{URL: "nats://a:4222,nats://b:4222", User: "chatsvc", Password: "pw"},
		RPC:             config.RPC{CallTimeout: 3 * time.Second, MaxMessageBytes: 1 << 20, MaxConnectionAge: 30 * time.Minute},
		Log:             config.Log{Level: slog.LevelDebug, Format: "text"},
		EditWindow:      time.Hour,
		TokenLife:       24 * time.Hour,
		BatchSize:       64,
		ShutdownTimeout: 5 * time.Second,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

func TestLoadFromNamesAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := config.LoadFrom(map[string]string{
		"FLILIY_CHATSVC_ADDR":                   "nowhere",
		"FLILIY_CHATSVC_ADMIN_ADDR":             "localhost:http",
		"FLILIY_CHATSVC_CALLERS":                "gateway:gateway:topsecret",
		"FLILIY_CHATSVC_DATABASE_URL":           "mysql://root:topsecret@db/chat",
		"FLILIY_CHATSVC_NATS_URL":               "http://nats:4222",
		"FLILIY_CHATSVC_NATS_USER":              "chatsvc",
		"FLILIY_CHATSVC_RPC_CALL_TIMEOUT":       "soon",
		"FLILIY_CHATSVC_RPC_MAX_MESSAGE_BYTES":  "1",
		"FLILIY_CHATSVC_RPC_MAX_CONNECTION_AGE": "-1s",
		"FLILIY_CHATSVC_LOG_LEVEL":              "loud",
		"FLILIY_CHATSVC_LOG_FORMAT":             "xml",
		"FLILIY_CHATSVC_EDIT_WINDOW":            "-1s",
		"FLILIY_CHATSVC_RECALL_WINDOW":          "-2m",
		"FLILIY_CHATSVC_TOKEN_LIFE":             "0s",
		"FLILIY_CHATSVC_BATCH_SIZE":             "1025",
		"FLILIY_CHATSVC_SHUTDOWN_TIMEOUT":       "0s",
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, variable := range []string{
		"ADDR", "ADMIN_ADDR", "CALLERS", "DATABASE_URL", "NATS_URL", "NATS_PASSWORD", "RPC_CALL_TIMEOUT", "RPC_MAX_MESSAGE_BYTES",
		"RPC_MAX_CONNECTION_AGE", "LOG_LEVEL", "LOG_FORMAT", "EDIT_WINDOW", "RECALL_WINDOW", "TOKEN_LIFE",
		"BATCH_SIZE", "SHUTDOWN_TIMEOUT",
	} {
		if !strings.Contains("\n"+err.Error(), "\nFLILIY_CHATSVC_"+variable+": ") {
			t.Errorf("no line for %s in:\n%v", variable, err)
		}
	}
	if strings.Contains(err.Error(), "topsecret") {
		t.Errorf("the error shows a password:\n%v", err)
	}
}

func TestValidateDatabaseURL(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		url  string
		want string // part of the fault; empty: none
	}{
		"postgres":         {"postgres://chat@db:5432/chat?sslmode=disable", ""},
		"postgresql":       {"postgresql://chat@db/chat", ""},
		"sqlite":           {"sqlite:data/chat.db", ""},
		"absent":           {"", "is not set"},
		"sqlite, no path":  {"sqlite:", "wants a path"},
		"other scheme":     {"mysql://db/chat", `scheme "mysql"`},
		"no database":      {"postgres://db", "names no database"},
		"not a URL at all": {"postgres://a:%zz@db/x", "is not a URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config.Default()
			cfg.DatabaseURL = tc.url
			err := cfg.Validate()
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("Validate: %v, want none", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("Validate: %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestValidateRefusesOneAddressForBothServers(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.DatabaseURL, cfg.AdminAddr = "sqlite:chat.db", cfg.Addr
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "ADMIN_ADDR") {
		t.Errorf("Validate: %v, want a fault of ADMIN_ADDR", err)
	}
	cfg.Addr, cfg.AdminAddr = "127.0.0.1:0", "127.0.0.1:0"
	if err := cfg.Validate(); err != nil {
		t.Errorf("Validate with free ports: %v", err)
	}
}

func TestSecretsNeverShow(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ database, nats string }{
		"in the user part": {"postgres://chat:topsecret@db/chat", "nats://u:topsecret@a:4222, nats://u:topsecret@b:4222"},
		"in the query":     {"postgres://db/chat?user=chat&password=topsecret", "nats://a:4222"},
		"a NATS token":     {"postgres://chat@db/chat", "nats://topsecret@a:4222"},
		"not a URL":        {"postgres://chat:topsecret%zz@db/chat", "nats://%zz:topsecret@a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config.Default()
			cfg.DatabaseURL, cfg.NATS = tc.database, config.NATS{URL: tc.nats, User: "u", Password: "topsecret"}
			cfg.AdminToken = "topsecret"
			var log bytes.Buffer
			slog.New(slog.NewJSONHandler(&log, nil)).Info("starting", "config", cfg)
			redacted := cfg.Redacted()
			for _, text := range []string{log.String(), redacted.DatabaseURL, redacted.NATS.URL, redacted.NATS.Password, redacted.AdminToken} {
				if strings.Contains(text, "topsecret") {
					t.Errorf("the password shows: %s", text)
				}
			}
		})
	}
	cfg := config.Default()
	cfg.DatabaseURL = "sqlite:data/chat.db"
	if got := cfg.Redacted().DatabaseURL; got != "sqlite:data/chat.db" {
		t.Errorf("redacted sqlite URL is %q", got)
	}
}

func TestThreat34Callers(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("s", 32)
	for name, tc := range map[string]struct {
		addr, callers string
		want          string // part of the fault; empty: none
	}{
		"loopback, none":        {"127.0.0.1:9090", "", ""},
		"IPv6 loopback, none":   {"[::1]:9090", "", ""},
		"everywhere, none":      {":9090", "", "can be reached from other machines"},
		"an address, none":      {"10.0.0.7:9090", "", "can be reached from other machines"},
		"a name, none":          {"chatsvc:9090", "", "can be reached from other machines"},
		"everywhere, two":       {":9090", "gateway:gateway:" + secret + ",orders:service:" + secret, ""},
		"an unknown role":       {":9090", "gateway:root:" + secret, `"root" is unknown`},
		"a short secret":        {":9090", "gateway:gateway:" + secret[1:], "too short"},
		"no secret":             {":9090", "gateway:gateway", "not name:role:secret"},
		"no name":               {":9090", ":gateway:" + secret, "the name"},
		"one name for two":      {":9090", "a:gateway:" + secret + ",a:service:" + secret, "twice"},
		"a colon in the secret": {":9090", "a:gateway:" + secret + ":x", "visible ASCII"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, err := config.LoadFrom(map[string]string{
				"FLILIY_CHATSVC_DATABASE_URL": "sqlite:chat.db", "FLILIY_CHATSVC_ADDR": tc.addr, "FLILIY_CHATSVC_CALLERS": tc.callers,
			})
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q in it", err, tc.want)
			}
			var log bytes.Buffer
			slog.New(slog.NewJSONHandler(&log, nil)).Info("starting", "config", cfg)
			for _, text := range []string{fmt.Sprint(err), log.String(), fmt.Sprintf("%+v", cfg.Redacted())} {
				if strings.Contains(text, secret[1:]) {
					t.Errorf("the secret shows: %s", text)
				}
			}
		})
	}
}
