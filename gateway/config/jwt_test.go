package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/config"
)

const publicKey = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
`

// Threat 44: weak keys stop a start, and each says what is wrong with it.
func TestThreat44KeysOfTokens(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := func(name, content string) []string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{path}
	}
	good := file("public.pem", publicKey)
	for name, tc := range map[string]struct {
		jwt  config.JWT
		want string // part of the fault; empty: none
	}{
		"a secret":                    {config.JWT{Secret: secret}, ""},
		"nothing":                     {config.JWT{}, "JWT_SECRET"},
		"31 bytes":                    {config.JWT{Secret: secret[1:]}, "31 bytes"},
		"a public key as the secret":  {config.JWT{Secret: publicKey}, "is no secret"},
		"a public key":                {config.JWT{PublicKeys: good}, ""},
		"a short secret beside it":    {config.JWT{Secret: "x", PublicKeys: good}, "JWT_SECRET"},
		"a file that is not there":    {config.JWT{PublicKeys: []string{"nowhere.pem"}}, "nowhere.pem"},
		"a private key":               {config.JWT{PublicKeys: file("a", strings.ReplaceAll(publicKey, "PUBLIC", "PRIVATE"))}, "private key"},
		"an empty file":               {config.JWT{PublicKeys: file("b", "")}, "no PEM block"},
		"a JWKS":                      {config.JWT{JWKSURL: "https://login.example/keys"}, ""},
		"a JWKS of this machine":      {config.JWT{JWKSURL: "http://127.0.0.1:8000/keys"}, ""},
		"a JWKS by its name":          {config.JWT{JWKSURL: "http://localhost/keys"}, ""},
		"a JWKS in the open":          {config.JWT{JWKSURL: "http://login.example/keys"}, "JWT_JWKS_URL"},
		"a name that looks like here": {config.JWT{JWKSURL: "http://127.0.0.1.evil.example/"}, "JWT_JWKS_URL"},
		"a file as a JWKS":            {config.JWT{JWKSURL: "file:///etc/passwd"}, "JWT_JWKS_URL"},
		"a secret that is leaving":    {config.JWT{Secret: secret, PreviousSecret: "old-secret"}, "JWT_PREVIOUS_SECRET"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := valid()
			tc.jwt.Claim = "sub"
			cfg.JWT = tc.jwt
			err := cfg.Validate()
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("Validate: %v, want none", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("Validate: %v, want %q in it", err, tc.want)
			case err != nil && (strings.Contains(err.Error(), "MCow") || strings.Contains(err.Error(), "old-secret")):
				t.Errorf("the fault shows the value: %v", err)
			}
		})
	}
}

func TestRedactedHidesKeysOfTokens(t *testing.T) {
	t.Parallel()
	cfg := valid()
	cfg.JWT.PreviousSecret, cfg.JWT.JWKSURL = "previous-"+secret, "https://user:hunter5@login.example/keys"
	redacted := cfg.Redacted().JWT
	if strings.Contains(redacted.PreviousSecret, secret) || strings.Contains(redacted.JWKSURL, "hunter5") {
		t.Errorf("Redacted shows a secret: %+v", redacted)
	}
}
