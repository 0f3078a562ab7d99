package config_test

import (
	"strings"
	"testing"

	"github.com/fliliy/chat/chatsvc/config"
)

func TestTLSFiles(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		environment map[string]string
		want        string
	}{
		"a key is missing":           {map[string]string{"TLS_CERT": "/no/cert.pem"}, "TLS_CERT: CERT and KEY come together"},
		"a certificate is missing":   {map[string]string{"TLS_CA": "/no/ca.pem"}, "TLS_CERT: a server needs a certificate"},
		"a file is missing":          {map[string]string{"NATS_TLS_CA": "/no/ca.pem"}, "NATS_TLS_CA: read the authority: open /no/ca.pem"},
		"Redis is not asked for TLS": {map[string]string{"REDIS_TLS_CA": "/no/ca.pem"}, "REDIS_TLS_CA: is for a REDIS_URL of the form rediss:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environment := map[string]string{config.Prefix + "DATABASE_URL": "sqlite:x"}
			for variable, value := range tc.environment {
				environment[config.Prefix+variable] = value
			}
			if _, err := config.LoadFrom(environment); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q in it", err, tc.want)
			}
		})
	}
}
