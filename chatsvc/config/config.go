// Package config is the chat service's configuration: read from environment variables that begin with
// FLILIY_CHATSVC_, checked as a whole, and printable without its secrets. It opens and connects nothing. The command,
// the facade and whoever runs the service inside another process use it.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/fliliy/chat/proto/identity"
)

// Prefix begins the name of every variable.
const Prefix = "FLILIY_CHATSVC_"

// Config is all the chat service can be told. Default has the defaults; README.md has the table.
type Config struct {
	// Addr is where gRPC listens. Port 0 takes a free one.
	Addr string `env:"ADDR"`
	// AdminAddr is where /metrics, /healthz, /readyz and /debug/pprof listen; empty is off. Never a public address.
	AdminAddr string `env:"ADMIN_ADDR"`
	// AdminToken is what operators and Prometheus show there (Authorization: Bearer), but for /healthz and /readyz; empty:
	// nobody has to, and AdminAddr is a loopback address.
	AdminToken string `env:"ADMIN_TOKEN"`
	// DatabaseURL is postgres://user:password@host/database or sqlite:path.
	DatabaseURL string `env:"DATABASE_URL"`
	// Callers are the services that may call, each name:role:secret, separated by commas. Without any, everybody who
	// reaches Addr may call, which therefore has to be a loopback address.
	Callers []Caller `env:"CALLERS"`
	// RedisURL names the Redis in which gateways keep who is online: redis://[user:password@]host:port[/db]. It is only
	// read; empty: nobody can tell who is online.
	RedisURL string `env:"REDIS_URL"`
	// TLS is what gRPC is served with; with a CA every caller shows a certificate of it, beside its credential.
	TLS identity.TLS `envPrefix:"TLS_"`
	// RedisTLS is for a rediss:// RedisURL; without it the system's authorities are believed.
	RedisTLS identity.TLS `envPrefix:"REDIS_TLS_"`
	NATS     NATS         `envPrefix:"NATS_"`
	RPC      RPC          `envPrefix:"RPC_"`
	Log      Log          `envPrefix:"LOG_"`
	// EditWindow and RecallWindow are how long after a message its sender may edit and recall it; 0 is never.
	EditWindow   time.Duration `env:"EDIT_WINDOW"`
	RecallWindow time.Duration `env:"RECALL_WINDOW"`
	// TokenLife is the longest that any token of a user holds: a revocation is forgotten after it.
	TokenLife time.Duration `env:"TOKEN_LIFE"`
	// BatchSize is how many messages one transaction may store, 1 to 1024.
	BatchSize int `env:"BATCH_SIZE"`
	// ShutdownTimeout is how long a stop waits for calls under way before it cuts them off.
	ShutdownTimeout time.Duration `env:"SHUTDOWN_TIMEOUT"`
}

// NATS is where events are published.
type NATS struct {
	// URL is one or more servers, separated by commas.
	URL string `env:"URL"`
	// User and Password are optional, and come together.
	User     string `env:"USER"`
	Password string `env:"PASSWORD"`
	// TLS, if any of it is set, is used with every server, whatever the URL's scheme; a tls:// URL alone believes the
	// system's authorities.
	TLS identity.TLS `envPrefix:"TLS_"`
}

// RPC bounds the gRPC server.
type RPC struct {
	// CallTimeout is the deadline of a unary call that brings none.
	CallTimeout time.Duration `env:"CALL_TIMEOUT"`
	// MaxMessageBytes is the largest request, and so the largest batch on a relay stream.
	MaxMessageBytes int `env:"MAX_MESSAGE_BYTES"`
	// MaxConnectionAge is when a gateway is asked to connect anew, so that it finds replicas that have come since;
	// 0 is never.
	MaxConnectionAge time.Duration `env:"MAX_CONNECTION_AGE"`
}

// Default returns the defaults. DatabaseURL has none: a service must not store messages in a place nobody chose.
func Default() Config {
	return Config{
		Addr:            "127.0.0.1:9090",
		AdminAddr:       "127.0.0.1:9091",
		NATS:            NATS{URL: "nats://127.0.0.1:4222"},
		RPC:             RPC{CallTimeout: 10 * time.Second, MaxMessageBytes: 16 << 20, MaxConnectionAge: 5 * time.Minute},
		Log:             Log{Level: slog.LevelInfo, Format: "json"},
		EditWindow:      15 * time.Minute,
		RecallWindow:    2 * time.Minute,
		TokenLife:       90 * 24 * time.Hour,
		BatchSize:       1024,
		ShutdownTimeout: 10 * time.Second,
	}
}

// Load reads the process's environment. The error names every fault, of form and of sense, at once.
func Load() (Config, error) {
	return LoadFrom(env.ToMap(os.Environ()))
}

// LoadFrom is Load from the variables given. One that is absent or empty leaves its default, except ADMIN_ADDR, whose
// empty value turns the admin server off.
func LoadFrom(environment map[string]string) (Config, error) {
	cfg := Default()
	err := env.ParseWithOptions(&cfg, env.Options{Environment: environment, Prefix: Prefix})
	if admin, set := environment[Prefix+"ADMIN_ADDR"]; set {
		cfg.AdminAddr = admin
	}
	if err := errors.Join(formFaults(err), cfg.Validate()); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

// formFaults words the parser's errors by variable instead of by Go field.
func formFaults(err error) error {
	var all env.AggregateError
	if !errors.As(err, &all) {
		return err
	}
	names := map[string]string{}
	variables(reflect.TypeFor[Config](), Prefix, names)
	var faults []error
	for _, fault := range all.Errors {
		var parse env.ParseError
		if errors.As(fault, &parse) {
			fault = fmt.Errorf("%s: %w", names[parse.Name], parse.Err)
		}
		faults = append(faults, fault)
	}
	return errors.Join(faults...)
}

// variables maps the field names of a struct, which are unique among those that can fail to parse, to variables.
func variables(t reflect.Type, prefix string, names map[string]string) {
	for _, field := range reflect.VisibleFields(t) {
		if nested, ok := field.Tag.Lookup("envPrefix"); ok {
			variables(field.Type, prefix+nested, names)
		} else {
			names[field.Name] = prefix + field.Tag.Get("env")
		}
	}
}

// SQLitePath returns the file of a sqlite: DatabaseURL; ok is false for any other.
func (c Config) SQLitePath() (path string, ok bool) {
	return strings.CutPrefix(c.DatabaseURL, "sqlite:")
}
