package config_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/config"
)

// RELIABILITY row 44: what would fail open stops a start, by the variable that has to change, and no secret is printed.
func TestThreat44FailsClosed(t *testing.T) {
	t.Parallel()
	admin := strings.Repeat("0123456789abcdef", 4)
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for name, tc := range map[string]struct {
		change func(*config.Config)
		want   string // the fault; empty: none
	}{
		"as it comes":                   {func(*config.Config) {}, ""},
		"no secret":                     {func(c *config.Config) { c.JWT.Secret = "" }, "JWT_SECRET: has 0 bytes"},
		"a secret of 31 bytes":          {func(c *config.Config) { c.JWT.Secret = secret[1:] }, "JWT_SECRET: has 31 bytes"},
		"a secret that was typed":       {func(c *config.Config) { c.JWT.Secret = strings.Repeat("secret", 6) }, "JWT_SECRET: repeats"},
		"an old secret that was typed":  {func(c *config.Config) { c.JWT.PreviousSecret = strings.Repeat("a", 64) }, "JWT_PREVIOUS_SECRET: repeats"},
		"any origin":                    {func(c *config.Config) { c.Origins = []string{"*"} }, `ORIGINS: "*"`},
		"any subdomain":                 {func(c *config.Config) { c.Origins = []string{"https://*.shop.example"} }, `ORIGINS: "https://*.`},
		"origin null":                   {func(c *config.Config) { c.Origins = []string{"null"} }, `ORIGINS: "null"`},
		"plain text for the world":      {func(c *config.Config) { c.Addr = "0.0.0.0:8080" }, "_GATEWAY_ADDR: 0.0.0.0:8080"},
		"plain text on all addresses":   {func(c *config.Config) { c.Addr = ":8080" }, "_GATEWAY_ADDR: :8080"},
		"plain text by a name":          {func(c *config.Config) { c.Addr = "chat.example:80" }, "_GATEWAY_ADDR: chat.example:80"},
		"a proxy ends TLS":              {func(c *config.Config) { c.Addr, c.TrustedProxies = ":8080", proxies }, ""},
		"this machine, by IPv6":         {func(c *config.Config) { c.Addr, c.AdminAddr = "[::1]:1", "localhost:2" }, ""},
		"admin for the world":           {func(c *config.Config) { c.AdminAddr = ":8090" }, "ADMIN_TOKEN: is not set"},
		"admin on the network":          {func(c *config.Config) { c.AdminAddr = "10.0.0.7:8090" }, "ADMIN_TOKEN: is not set"},
		"admin by a name":               {func(c *config.Config) { c.AdminAddr = "chat.example:8090" }, "ADMIN_TOKEN: is not set"},
		"admin with a token":            {func(c *config.Config) { c.AdminAddr, c.AdminToken = ":8090", admin }, ""},
		"no admin":                      {func(c *config.Config) { c.AdminAddr = "" }, ""},
		"a short admin token":           {func(c *config.Config) { c.AdminAddr, c.AdminToken = ":8090", "hunter2-hunter2" }, "ADMIN_TOKEN: has 15 bytes"},
		"an admin token that was typed": {func(c *config.Config) { c.AdminToken = strings.Repeat("admin", 8) }, "ADMIN_TOKEN: repeats"},
		"the secret of tokens as admin": {func(c *config.Config) { c.AdminToken = secret }, "ADMIN_TOKEN: is the secret"},
		"Redis without its certificate": {func(c *config.Config) { c.RedisURL = "rediss://r:6379?skip_verify=true" }, "REDIS_URL: says skip_verify"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := valid()
			tc.change(&cfg)
			err := cfg.Validate()
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("Validate: %v, want none", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("Validate: %v, want %q in it", err, tc.want)
			}
			for _, hidden := range []string{cfg.JWT.Secret, cfg.JWT.PreviousSecret, cfg.AdminToken} {
				if err != nil && hidden != "" && strings.Contains(err.Error(), hidden) {
					t.Errorf("the fault shows a secret: %v", err)
				}
			}
		})
	}
}

// All faults are told at once, not one a start.
func TestThreat44AllAtOnce(t *testing.T) {
	t.Parallel()
	_, err := config.LoadFrom(map[string]string{
		"FLILIY_GATEWAY_JWT_SECRET": "hunter2", "FLILIY_GATEWAY_ORIGINS": "*", "FLILIY_GATEWAY_ADDR": ":8080",
		"FLILIY_GATEWAY_ADMIN_ADDR": ":8090", "FLILIY_GATEWAY_REDIS_URL": "rediss://:hunter2@r?skip_verify=1",
	})
	if err == nil {
		t.Fatal("it loads")
	}
	for _, variable := range []string{"JWT_SECRET", "ORIGINS", "ADDR", "ADMIN_TOKEN", "REDIS_URL"} {
		if !strings.Contains("\n"+err.Error(), "\nFLILIY_GATEWAY_"+variable+": ") {
			t.Errorf("no line for %s in:\n%v", variable, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the faults show a secret:\n%v", err)
	}
}
