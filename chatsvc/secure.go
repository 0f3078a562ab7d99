package chatsvc

import (
	"crypto/tls"
	"fmt"

	"github.com/fliliy/chat/chatsvc/config"
	"github.com/fliliy/chat/proto/identity"
)

// secure is how each connection is protected; nil: as its URL says, or not at all.
type secure struct{ grpc, nats, redis *tls.Config }

// readTLS reads the files that the configuration names.
func readTLS(cfg config.Config) (secure, error) {
	var s secure
	for _, one := range []struct {
		name  string
		files identity.TLS
		read  func() (*tls.Config, error)
		into  **tls.Config
	}{
		{"gRPC", cfg.TLS, cfg.TLS.Server, &s.grpc},
		{"NATS", cfg.NATS.TLS, cfg.NATS.TLS.Client, &s.nats},
		{"Redis", cfg.RedisTLS, cfg.RedisTLS.Client, &s.redis},
	} {
		if !one.files.On() {
			continue
		}
		var err error
		if *one.into, err = one.read(); err != nil {
			return secure{}, fmt.Errorf("TLS of %s: %w", one.name, err)
		}
	}
	return s, nil
}
