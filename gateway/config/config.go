// Package config is the gateway's configuration: one struct, read from the environment, checked whole before anything
// starts. The facade and the command read it; no other package looks at the environment.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Prefix starts the name of every environment variable of the gateway.
const Prefix = "FLILIY_GATEWAY_"

// MinSecret is the least length of JWT_SECRET in bytes: as long as the HS256 digest (RFC 7518 section 3.2).
const MinSecret = 32

// Config is what a gateway can be told. The zero value is not usable: start from Default or Load.
type Config struct {
	// Addr is the public address: WebSocket, REST, test page, /healthz and /readyz.
	Addr string `env:"ADDR"`
	// AdminAddr serves /metrics and /debug/pprof; never reachable by the public. Empty: none.
	AdminAddr string `env:"ADMIN_ADDR"`
	// ChatsvcTarget is the chat service as a gRPC target, such as dns:///chatsvc:9090.
	ChatsvcTarget string `env:"CHATSVC_TARGET"`
	// RedisURL names the Redis that holds presence: redis://[user:password@]host:port[/db].
	RedisURL string `env:"REDIS_URL"`
	// Origins are the web origins that may connect, such as https://shop.example; empty: the same origin only.
	Origins []string `env:"ORIGINS"`

	NATS   NATS   `envPrefix:"NATS_"`
	JWT    JWT    `envPrefix:"JWT_"`
	Limits Limits `envPrefix:"LIMIT_"`
	Log    Log    `envPrefix:"LOG_"`
}

// NATS is how to reach the broker.
type NATS struct {
	URL      string `env:"URL"` // one or several, comma-separated
	User     string `env:"USER"`
	Password string `env:"PASSWORD"`
}

// JWT is how users prove who they are.
type JWT struct {
	Secret   string        `env:"SECRET"`     // HS256, at least MinSecret bytes
	Claim    string        `env:"USER_CLAIM"` // which claim is the user id
	Issuer   string        `env:"ISSUER"`     // required "iss", empty: any
	Audience string        `env:"AUDIENCE"`   // required "aud", empty: any
	Leeway   time.Duration `env:"LEEWAY"`     // clock skew allowed on exp, nbf and iat, at most a minute
}

// Limits bound what one client may cost.
type Limits struct {
	BodyBytes      int           `env:"BODY_BYTES"`       // of one STOMP frame
	SendQueueBytes int           `env:"SEND_QUEUE_BYTES"` // of one session; a client that lets it fill is closed with 1013
	Subscriptions  int           `env:"SUBSCRIPTIONS"`    // of one session
	HeartBeat      time.Duration `env:"HEART_BEAT"`       // what the server offers and wants; 0: none
	DrainTime      time.Duration `env:"DRAIN_TIME"`       // how long a stopping gateway waits for its sessions to go
}

// Log is what is logged, to standard error.
type Log struct {
	Level  slog.Level `env:"LEVEL"`  // debug, info, warn, error
	Format string     `env:"FORMAT"` // json or text
}

// Default is the configuration of a gateway on a developer's machine, but for the secret.
func Default() Config {
	return Config{
		Addr:          "127.0.0.1:8080",
		AdminAddr:     "127.0.0.1:8090",
		ChatsvcTarget: "127.0.0.1:9090",
		RedisURL:      "redis://127.0.0.1:6379",
		NATS:          NATS{URL: "nats://127.0.0.1:4222"},
		JWT:           JWT{Claim: "sub", Leeway: 5 * time.Second},
		Limits: Limits{
			BodyBytes: 64 << 10, SendQueueBytes: 512 << 10, Subscriptions: 128,
			HeartBeat: 10 * time.Second, DrainTime: 10 * time.Second,
		},
		Log: Log{Format: "json"},
	}
}

// Load reads the environment over the defaults. It checks only that each value can be read: Validate does the rest.
func Load() (Config, error) {
	cfg := Default()
	if err := env.ParseWithOptions(&cfg, env.Options{Prefix: Prefix}); err != nil {
		return Config{}, fmt.Errorf("read the environment: %w", err)
	}
	return cfg, nil
}

// Validate reports everything that is wrong, each fault naming its variable, and prints no secret.
func (c *Config) Validate() error {
	var faults []error
	fault := func(variable, format string, args ...any) {
		faults = append(faults, fmt.Errorf(Prefix+variable+": "+format, args...))
	}
	hostPort := func(variable, value string) {
		if _, _, err := net.SplitHostPort(value); err != nil {
			fault(variable, "%q is not host:port", value)
		}
	}
	hostPort("ADDR", c.Addr)
	if c.AdminAddr != "" {
		hostPort("ADMIN_ADDR", c.AdminAddr)
	}
	if c.ChatsvcTarget == "" {
		fault("CHATSVC_TARGET", "is empty; give a gRPC target such as dns:///chatsvc:9090")
	}
	for _, one := range strings.Split(c.NATS.URL, ",") {
		if !hasScheme(one, "nats", "tls", "ws", "wss") {
			fault("NATS_URL", "not a list of URLs such as nats://nats:4222")
		}
	}
	if !hasScheme(c.RedisURL, "redis", "rediss", "unix") {
		fault("REDIS_URL", "not a URL such as redis://redis:6379")
	}
	if len(c.JWT.Secret) < MinSecret {
		fault("JWT_SECRET", "has %d bytes, at least %d are needed; make one with: openssl rand -base64 48",
			len(c.JWT.Secret), MinSecret)
	}
	if c.JWT.Claim == "" {
		fault("JWT_USER_CLAIM", "is empty; the usual claim is sub")
	}
	if c.JWT.Leeway < 0 || c.JWT.Leeway > time.Minute {
		fault("JWT_LEEWAY", "%v is not between 0 and 1m", c.JWT.Leeway)
	}
	for _, origin := range c.Origins {
		if u, err := url.Parse(origin); err != nil || u.Host == "" || origin != u.Scheme+"://"+u.Host {
			fault("ORIGINS", "%q is not an origin such as https://shop.example", origin)
		}
	}
	c.Limits.validate(fault)
	if c.Log.Format != "json" && c.Log.Format != "text" {
		fault("LOG_FORMAT", "%q is neither json nor text", c.Log.Format)
	}
	return errors.Join(faults...)
}

func (l *Limits) validate(fault func(variable, format string, args ...any)) {
	between := func(variable string, value, least, most int) {
		if value < least || value > most {
			fault(variable, "%d is not between %d and %d", value, least, most)
		}
	}
	between("LIMIT_BODY_BYTES", l.BodyBytes, 1<<10, 1<<20)
	between("LIMIT_SEND_QUEUE_BYTES", l.SendQueueBytes, 16<<10, 64<<20)
	between("LIMIT_SUBSCRIPTIONS", l.Subscriptions, 1, 10_000)
	if l.HeartBeat != 0 && (l.HeartBeat < time.Second || l.HeartBeat > 10*time.Minute) {
		fault("LIMIT_HEART_BEAT", "%v is neither 0 nor between 1s and 10m", l.HeartBeat)
	}
	if l.DrainTime < 0 || l.DrainTime > 10*time.Minute {
		fault("LIMIT_DRAIN_TIME", "%v is not between 0 and 10m", l.DrainTime)
	}
}

func hasScheme(value string, schemes ...string) bool {
	u, err := url.Parse(value)
	if err != nil {
		return false
	}
	for _, scheme := range schemes {
		if u.Scheme == scheme {
			return true
		}
	}
	return false
}

// Redacted is the configuration as it may be printed and logged: secrets and passwords are replaced.
func (c Config) Redacted() Config {
	hide := func(secret *string) {
		if *secret != "" {
			*secret = "(hidden)"
		}
	}
	hide(&c.JWT.Secret)
	hide(&c.NATS.Password)
	for _, address := range []*string{&c.RedisURL, &c.NATS.URL} {
		if u, err := url.Parse(*address); err == nil {
			*address = u.Redacted()
		} else {
			hide(address)
		}
	}
	return c
}

// Logger is the process's logger, to standard error.
func (l Log) Logger() *slog.Logger {
	options := &slog.HandlerOptions{Level: l.Level}
	if l.Format == "text" {
		return slog.New(slog.NewTextHandler(os.Stderr, options))
	}
	return slog.New(slog.NewJSONHandler(os.Stderr, options))
}
