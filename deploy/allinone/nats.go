package allinone

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// startNATS runs an embedded nats-server and returns its client URL.
func startNATS(addr string) (*server.Server, string, error) {
	host, port, err := splitAddr(addr)
	if err != nil {
		return nil, "", err
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	broker, err := server.NewServer(&server.Options{
		Host: host, Port: port, ServerName: "allinone", NoSigs: true, NoLog: true,
	})
	if err != nil {
		return nil, "", fmt.Errorf("make the embedded NATS: %w", err)
	}
	broker.Start()
	if !broker.ReadyForConnections(10 * time.Second) {
		broker.Shutdown()
		return nil, "", errors.New("the embedded NATS was not ready within 10 s")
	}
	return broker, broker.ClientURL(), nil
}

func splitAddr(addr string) (string, int, error) {
	host, digits, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("address %q is not host:port: %w", addr, err)
	}
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("address %q: port is not a number from 0 to 65535", addr)
	}
	return host, int(port), nil
}
