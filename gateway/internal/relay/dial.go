package relay

import (
	"fmt"
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
	// Credentials of the connection; nil is plain text.
	Credentials credentials.TransportCredentials
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
	if opts.Credentials == nil {
		opts.Credentials = insecure.NewCredentials()
	}
	cc, err := grpc.NewClient(target, append([]grpc.DialOption{
		grpc.WithTransportCredentials(opts.Credentials),
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
