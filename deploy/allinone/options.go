package allinone

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"

	gatewayconfig "github.com/fliliy/chat/gateway/config"
)

// Options say where the parts of a stack listen and keep their data. Port 0 is any free port.
type Options struct {
	// GatewayAddrs are the public addresses, one gateway each; at least one.
	GatewayAddrs []string
	// GatewayAdminAddrs are their admin addresses, in the same order; missing or empty ones serve no admin.
	GatewayAdminAddrs []string
	ChatsvcAddr       string
	ChatsvcAdminAddr  string // empty: none

	// NATSAddr and RedisAddr are where the embedded servers listen.
	NATSAddr  string
	RedisAddr string
	// DataDir keeps the SQLite file and the token secret between starts; it is made when missing.
	DataDir string

	// External replaces embedded servers by real ones.
	External External

	// Configure changes the configuration of each gateway before it starts; nil changes nothing.
	Configure func(*gatewayconfig.Config)

	// Logger of all parts; nil logs nothing.
	Logger *slog.Logger
}

// External names servers that run already; an empty one is embedded.
type External struct {
	DatabaseURL string // postgres://…
	NATSURL     string
	RedisURL    string
}

// Default is what `make run` starts.
func Default() Options {
	return Options{
		GatewayAddrs:      []string{"127.0.0.1:8080", "127.0.0.1:8081"},
		GatewayAdminAddrs: []string{"127.0.0.1:8090", "127.0.0.1:8091"},
		ChatsvcAddr:       "127.0.0.1:9090",
		ChatsvcAdminAddr:  "127.0.0.1:9091",
		NATSAddr:          "127.0.0.1:4290",
		RedisAddr:         "127.0.0.1:6390",
		DataDir:           "data",
	}
}

// addresses are all that the options make a stack listen on, with what each is for and the flag that moves it.
func (o *Options) addresses() []address {
	all := []address{
		{o.ChatsvcAddr, "chatsvc", "--chatsvc"},
		{o.ChatsvcAdminAddr, "chatsvc's admin address", "--chatsvc-admin"},
	}
	for _, addr := range o.GatewayAddrs {
		all = append(all, address{addr, "a gateway", "--gateways"})
	}
	for _, addr := range o.GatewayAdminAddrs {
		all = append(all, address{addr, "a gateway's admin address", "--gateway-admins"})
	}
	if o.External.NATSURL == "" {
		all = append(all, address{o.NATSAddr, "the embedded NATS", "--nats"})
	}
	if o.External.RedisURL == "" {
		all = append(all, address{o.RedisAddr, "the embedded Redis", "--redis"})
	}
	return all
}

type address struct{ addr, who, flag string }

// check looks whether every address can be had, so that a taken port is one clear error before anything starts.
func (o *Options) check(ctx context.Context) error {
	if len(o.GatewayAddrs) == 0 {
		return errors.New("no gateway address: give at least one with --gateways")
	}
	if len(o.GatewayAdminAddrs) > len(o.GatewayAddrs) {
		return fmt.Errorf("%d admin addresses for %d gateways: give one each with --gateway-admins, or fewer",
			len(o.GatewayAdminAddrs), len(o.GatewayAddrs))
	}
	for _, a := range o.addresses() {
		if a.addr == "" {
			continue
		}
		if err := portFree(ctx, a.addr); err != nil {
			return fmt.Errorf("%s cannot listen on %s: %w (choose another with %s)", a.who, a.addr, err, a.flag)
		}
	}
	return nil
}

// portFree tries an address and lets it go again.
func portFree(ctx context.Context, addr string) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err == nil {
		return listener.Close()
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return errors.New("another program listens there already")
	}
	return err
}
