package config_test

import (
	"strings"
	"testing"

	"github.com/fliliy/chat/chatsvc/config"
)

// RELIABILITY row 44: what would fail open stops a start, and no secret is printed.
func TestThreat44FailsClosed(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("0123456789abcdef", 2)
	for name, tc := range map[string]struct {
		environment map[string]string
		want        string // part of the fault; empty: none
	}{
		"as it comes":                   {nil, ""},
		"admin for the world":           {map[string]string{"ADMIN_ADDR": ":9091"}, "ADMIN_TOKEN: is not set"},
		"admin on the network":          {map[string]string{"ADMIN_ADDR": "10.0.0.7:9091"}, "ADMIN_TOKEN: is not set"},
		"admin by a name":               {map[string]string{"ADMIN_ADDR": "chat.example:9091"}, "ADMIN_TOKEN: is not set"},
		"admin with a token":            {map[string]string{"ADMIN_ADDR": ":9091", "ADMIN_TOKEN": good}, ""},
		"a short admin token":           {map[string]string{"ADMIN_TOKEN": "hunter2"}, "ADMIN_TOKEN: has 7 bytes"},
		"no admin":                      {map[string]string{"ADMIN_ADDR": ""}, ""},
		"this machine, by IPv6":         {map[string]string{"ADMIN_ADDR": "[::1]:9091"}, ""},
		"callers unknown, for all":      {map[string]string{"ADDR": ":9090"}, "CALLERS: is not set"},
		"Redis without its certificate": {map[string]string{"REDIS_URL": "rediss://:hunter2@r?skip_verify=true"}, "REDIS_URL: says skip_verify"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environment := map[string]string{"FLILIY_CHATSVC_DATABASE_URL": "sqlite:chat.db"}
			for variable, value := range tc.environment {
				environment["FLILIY_CHATSVC_"+variable] = value
			}
			_, err := config.LoadFrom(environment)
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("LoadFrom: %v, want none", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("LoadFrom: %v, want %q in it", err, tc.want)
			case err != nil && strings.Contains(err.Error(), "hunter2"):
				t.Errorf("the fault shows a secret: %v", err)
			}
		})
	}
}
