package config

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/fliliy/chat/proto/identity"
)

// Roles of callers.
const (
	RoleGateway = "gateway" // brings users: the relay, and what REST offers
	RoleService = "service" // an internal service: ChatService with notifications, never the relay
)

// Caller is a service that may call.
type Caller struct {
	identity.Credential
	Role string // RoleGateway or RoleService
}

// UnmarshalText reads name:role:secret. Errors do not repeat it, as it has a secret.
func (c *Caller) UnmarshalText(text []byte) error {
	parts := strings.SplitN(strings.TrimSpace(string(text)), ":", 3)
	if len(parts) != 3 {
		return errors.New("an entry is not name:role:secret")
	}
	*c = Caller{identity.Credential{Name: parts[0], Secret: parts[2]}, parts[1]}
	return nil
}

// validCallers says the first thing that is wrong with the callers, and wants some where strangers reach the address.
func validCallers(all []Caller, addr string) error {
	if len(all) == 0 && !loopback(addr) {
		return fmt.Errorf("is not set, and %s can be reached from other machines: name who may call, as name:role:secret, "+
			"or listen on 127.0.0.1", addr)
	}
	names := make(map[string]bool, len(all))
	for i, c := range all {
		if err := c.Validate(); err != nil {
			return fmt.Errorf("caller %d: %w", i+1, err)
		}
		if err := oneOf(c.Role, RoleGateway, RoleService); err != nil {
			return fmt.Errorf("caller %s: role %w", c.Name, err)
		}
		if names[c.Name] {
			return fmt.Errorf("caller %s stands there twice", c.Name)
		}
		names[c.Name] = true
	}
	return nil
}

// loopback says whether only this machine reaches an address.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// callerNames lists callers without their secrets.
func callerNames(all []Caller) string {
	shown := make([]string, len(all))
	for i, c := range all {
		shown[i] = c.Name + ":" + c.Role
	}
	return strings.Join(shown, ",")
}
