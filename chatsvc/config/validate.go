package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/fliliy/chat/proto/identity"
)

// Validate says everything that is wrong, one fault a line, each by the variable that sets it; nil when nothing is.
// No fault shows a password.
func (c Config) Validate() error {
	var faults []error
	check := func(variable string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s%s: %w", Prefix, variable, err))
		}
	}
	check("ADDR", validAddr(c.Addr))
	if c.AdminAddr != "" {
		check("ADMIN_ADDR", validAddr(c.AdminAddr))
		check("ADMIN_ADDR", differs(c.Addr, c.AdminAddr))
	}
	check("ADMIN_TOKEN", validAdminToken(c.AdminToken, c.AdminAddr))
	check("CALLERS", validCallers(c.Callers, c.Addr))
	if c.TLS.On() {
		_, err := c.TLS.Server()
		check("TLS_CERT", err)
	}
	check("NATS_TLS_CA", validClient(c.NATS.TLS))
	check("REDIS_TLS_CA", validClient(c.RedisTLS))
	check("REDIS_TLS_CA", wantsTLS(c.RedisURL, c.RedisTLS))
	check("DATABASE_URL", validDatabase(c.DatabaseURL))
	check("REDIS_URL", validRedis(c.RedisURL))
	check("NATS_URL", validServers(c.NATS.URL))
	check("NATS_PASSWORD", together(c.NATS))
	check("RPC_CALL_TIMEOUT", positive(c.RPC.CallTimeout))
	check("RPC_MAX_MESSAGE_BYTES", within(c.RPC.MaxMessageBytes, 256<<10, 256<<20))
	check("RPC_MAX_CONNECTION_AGE", validAge(c.RPC.MaxConnectionAge))
	check("LOG_FORMAT", oneOf(c.Log.Format, "json", "text"))
	check("EDIT_WINDOW", notNegative(c.EditWindow))
	check("RECALL_WINDOW", notNegative(c.RecallWindow))
	check("TOKEN_LIFE", positive(c.TokenLife))
	check("BATCH_SIZE", within(c.BatchSize, 1, 1024))
	check("SHUTDOWN_TIMEOUT", positive(c.ShutdownTimeout))
	return errors.Join(faults...)
}

func validAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not host:port", addr)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q: the port is not a number from 0 to 65535", addr)
	}
	return nil
}

// differs refuses one address for both servers; port 0 is a different free port each time.
func differs(addr, admin string) error {
	if addr == admin && !strings.HasSuffix(addr, ":0") {
		return fmt.Errorf("%q is the address of gRPC as well; choose another port, or empty for none", admin)
	}
	return nil
}

// minAdminToken is the least length of ADMIN_TOKEN in bytes.
const minAdminToken = 32

// validAdminToken wants a token where other machines reach the admin server: who does sees the memory of the process.
func validAdminToken(token, addr string) error {
	switch {
	case token == "" && addr != "" && validAddr(addr) == nil && !loopback(addr):
		return fmt.Errorf("is not set, and %s can be reached from other machines: make one with: openssl rand -hex 32, "+
			"or listen on 127.0.0.1", addr)
	case token != "" && len(token) < minAdminToken:
		return fmt.Errorf("has %d bytes, at least %d are needed; make one with: openssl rand -hex 32", len(token), minAdminToken)
	}
	return nil
}

func validDatabase(raw string) error {
	if path, ok := strings.CutPrefix(raw, "sqlite:"); ok {
		if path == "" {
			return errors.New("sqlite: wants a path behind it, such as sqlite:data/chat.db")
		}
		return nil
	}
	parsed, err := url.Parse(raw)
	switch {
	case raw == "":
		return errors.New("is not set; want postgres://user:password@host/database or sqlite:path")
	case err != nil:
		return errors.New("is not a URL; want postgres://user:password@host/database or sqlite:path")
	case parsed.Scheme != "postgres" && parsed.Scheme != "postgresql":
		return fmt.Errorf("has the scheme %q; want postgres://user:password@host/database or sqlite:path", parsed.Scheme)
	case strings.Trim(parsed.Path, "/") == "":
		return errors.New("names no database; want postgres://user:password@host/database")
	}
	return nil
}

func validRedis(raw string) error {
	if raw == "" {
		return nil
	}
	parsed, err := url.Parse(raw)
	if err != nil || parsed.Host == "" || parsed.Scheme != "redis" && parsed.Scheme != "rediss" {
		return errors.New("is not a URL such as redis://user:password@host:6379; leave it empty for none")
	}
	if parsed.Query().Has("skip_verify") {
		return errors.New("says skip_verify: without its certificate anybody can be the Redis; leave it out")
	}
	return nil
}

// validClient reads the files of a client.
func validClient(files identity.TLS) error {
	_, err := files.Client()
	return err
}

// wantsTLS refuses files that a plain connection would silently not use.
func wantsTLS(redisURL string, files identity.TLS) error {
	if files.On() && !strings.HasPrefix(redisURL, "rediss://") {
		return errors.New("is for a REDIS_URL of the form rediss://host:6379, which this is not")
	}
	return nil
}

func validServers(list string) error {
	if strings.TrimSpace(list) == "" {
		return errors.New("is not set; want nats://host:4222, several separated by commas")
	}
	for i, raw := range strings.Split(list, ",") {
		server, err := url.Parse(strings.TrimSpace(raw))
		if err != nil || server.Host == "" {
			return fmt.Errorf("server %d is not a URL such as nats://host:4222", i+1)
		}
		if err := oneOf(server.Scheme, "nats", "tls", "ws", "wss"); err != nil {
			return fmt.Errorf("server %d: scheme %w", i+1, err)
		}
	}
	return nil
}

func together(n NATS) error {
	if (n.User == "") != (n.Password == "") {
		return errors.New("NATS_USER and NATS_PASSWORD come together; set both or none")
	}
	return nil
}

func positive(d time.Duration) error {
	if d <= 0 {
		return fmt.Errorf("%s is not a time to wait; want more than 0, such as 10s", d)
	}
	return nil
}

func notNegative(d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("%s is negative; want a time such as 2m, or 0 for never", d)
	}
	return nil
}

func validAge(age time.Duration) error {
	if age != 0 && age < time.Second {
		return fmt.Errorf("%s is too short; want 1s or more, or 0 for never", age)
	}
	return nil
}

func within(n, low, high int) error {
	if n < low || n > high {
		return fmt.Errorf("%d is out of range; want %d to %d", n, low, high)
	}
	return nil
}

func oneOf(got string, want ...string) error {
	for _, w := range want {
		if got == w {
			return nil
		}
	}
	return fmt.Errorf("%q is unknown; want %s", got, strings.Join(want, " or "))
}
