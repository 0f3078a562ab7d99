package gateway

import (
	"crypto/tls"
	"fmt"

	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc"

	"github.com/fliliy/chat/gateway/internal/presence"
	"github.com/fliliy/chat/gateway/internal/relay"
	"github.com/fliliy/chat/proto/identity"
)

func (g *Gateway) dialChatsvc() (*grpc.ClientConn, error) {
	secure, err := clientTLS(g.cfg.ChatsvcTLS)
	if err != nil {
		return nil, err
	}
	return relay.Dial(g.cfg.ChatsvcTarget, relay.DialOptions{
		TLS: secure, Logger: g.logger, Extra: credential(g.cfg.ChatsvcCredential),
	})
}

// dialRedis makes a client of its own for who asks.
func (g *Gateway) dialRedis() (*redis.Client, error) {
	secure, err := clientTLS(g.cfg.RedisTLS)
	if err != nil {
		return nil, err
	}
	return presence.Dial(g.cfg.RedisURL, secure)
}

// clientTLS reads the files of a connection; nil where none are named.
func clientTLS(files identity.TLS) (*tls.Config, error) {
	if !files.On() {
		return nil, nil
	}
	secure, err := files.Client()
	if err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return secure, nil
}

// credential says with every call to the chat service which caller this is; the configuration has been checked.
func credential(configured string) []grpc.DialOption {
	shown, err := identity.ParseCredential(configured)
	if err != nil { // none is configured
		return nil
	}
	return []grpc.DialOption{grpc.WithPerRPCCredentials(shown)}
}
