package relay

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// MaxMessage is the largest gRPC message between gateway and chat service, in bytes, each way.
const MaxMessage = 4 << 20

// keepaliveTime is after how much silence a connection is probed; chatsvc must permit it (enforcement policy MinTime
// of at most this), or it ends the connection with "too many pings".
const keepaliveTime = 10 * time.Second

// serviceConfig balances over all replicas, and repeats calls that only read when a replica is away: the next try
// goes to another one. Nothing that stores is repeated here.
const serviceConfig = `{
  "loadBalancingConfig": [{"` + balancing + `": {}}],
  "methodConfig": [{
    "name": [
      {"service": "fliliy.chat.v1.RelayService", "method": "Subscribe"},
      {"service": "fliliy.chat.v1.RelayService", "method": "SubscribeMany"},
      {"service": "fliliy.chat.v1.RelayService", "method": "ReadLog"},
      {"service": "fliliy.chat.v1.RelayService", "method": "ReadHeads"},
      {"service": "fliliy.chat.v1.RelayService", "method": "ListRevocations"},
      {"service": "fliliy.chat.v1.ChatService", "method": "ListRooms"},
      {"service": "fliliy.chat.v1.ChatService", "method": "ListMembers"},
      {"service": "fliliy.chat.v1.ChatService", "method": "ListMessages"},
      {"service": "fliliy.chat.v1.ChatService", "method": "ListInbox"},
      {"service": "fliliy.chat.v1.ChatService", "method": "CheckAccess"}
    ],
    "retryPolicy": {
      "maxAttempts": 4,
      "initialBackoff": "0.05s",
      "maxBackoff": "0.5s",
      "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE"]
    }
  }]
}`

// DialOptions of Dial.
type DialOptions struct {
	// TLS of the connection; nil is plain text.
	TLS *tls.Config
	// Logger hears why TLS with a replica fails: calls that wait for the connection do not say; nil: nobody does.
	Logger *slog.Logger
	// Extra options, such as interceptors.
	Extra []grpc.DialOption
}

// Dial makes the connection to the chat service that relay and rest share. It connects in the background and again
// after every loss. A target without a scheme ("chatsvc:9090") is looked up in DNS, and all its addresses are used.
func Dial(target string, opts DialOptions) (*grpc.ClientConn, error) {
	if !strings.Contains(target, "://") && !strings.HasPrefix(target, "unix:") &&
		!strings.HasPrefix(target, "passthrough:") {
		target = "dns:///" + strings.TrimPrefix(target, "dns:")
	}
	protection := insecure.NewCredentials()
	if opts.TLS != nil {
		protection = &told{credentials.NewTLS(opts.TLS), opts.Logger}
	}
	cc, err := grpc.NewClient(target, append([]grpc.DialOption{
		grpc.WithTransportCredentials(protection),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithDisableServiceConfig(), // no TXT look-ups: the configuration above is the one that counts
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage), grpc.MaxCallSendMsgSize(MaxMessage)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: keepaliveTime, Timeout: 5 * time.Second, PermitWithoutStream: true,
		}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second,
			},
			MinConnectTimeout: 3 * time.Second,
		}),
	}, opts.Extra...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to the chat service at %q: %w", target, err)
	}
	cc.Connect()
	return cc, nil
}

// told are credentials that tell why they do not come to terms with the other side.
type told struct {
	credentials.TransportCredentials
	logger *slog.Logger
}

// ClientHandshake implements credentials.TransportCredentials.
func (t *told) ClientHandshake(
	ctx context.Context, authority string, raw net.Conn,
) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := t.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil && t.logger != nil {
		t.logger.Error("no TLS with the chat service: check CHATSVC_TLS_CA and the service's certificate",
			"addr", raw.RemoteAddr().String(), "error", err)
	}
	return conn, info, err
}

// Clone implements credentials.TransportCredentials.
func (t *told) Clone() credentials.TransportCredentials {
	return &told{t.TransportCredentials.Clone(), t.logger}
}
