package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	database := "sqlite:" + filepath.Join(t.TempDir(), "chat.db")
	for name, tc := range map[string]struct {
		args     []string
		database string
		out      string // part of what is printed
		fault    string // part of the error; empty: none
	}{
		"nothing":              {nil, database, "usage: chatsvc COMMAND", "want one of these"},
		"two commands":         {[]string{"serve", "migrate"}, database, "usage:", "want one of these"},
		"unknown command":      {[]string{"dance"}, database, "usage:", `not ["dance"]`},
		"version":              {[]string{"version"}, "", "\n", ""},
		"check-config":         {[]string{"check-config"}, "postgres://chat:topsecret@db/chat", "postgres://chat:xxxxx@db/chat", ""},
		"check-config, faults": {[]string{"check-config"}, "", "", "FLILIY_CHATSVC_DATABASE_URL: is not set"},
		"migrate":              {[]string{"migrate"}, database, "the schema is up to date", ""},
		"migrate, no database": {[]string{"migrate"}, "postgres://nobody@127.0.0.1:1/nowhere", "", "open store"},
		"check-health, nobody": {[]string{"check-health"}, database, "", "ask localhost:1"},
		"serve, no database":   {[]string{"serve"}, "postgres://nobody@127.0.0.1:1/nowhere", "", "open store"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("FLILIY_CHATSVC_DATABASE_URL", tc.database)
			t.Setenv("FLILIY_CHATSVC_ADDR", "localhost:1")
			t.Setenv("FLILIY_CHATSVC_ADMIN_ADDR", "")
			t.Setenv("FLILIY_CHATSVC_LOG_LEVEL", "error")
			if strings.HasPrefix(name, "serve") {
				t.Setenv("FLILIY_CHATSVC_ADDR", "127.0.0.1:0")
			}
			var out bytes.Buffer
			err := run(t.Context(), tc.args, &out)
			if (err == nil) != (tc.fault == "") || err != nil && !strings.Contains(err.Error(), tc.fault) {
				t.Errorf("error %v, want %q in it", err, tc.fault)
			}
			if !strings.Contains(out.String(), tc.out) {
				t.Errorf("printed %q, want %q in it", out.String(), tc.out)
			}
			if strings.Contains(out.String(), "topsecret") {
				t.Errorf("a password is printed: %s", out.String())
			}
		})
	}
}
