// Package config is the gateway's configuration: one struct, read from the environment, checked whole before anything
// starts. The facade and the command read it; no other package looks at the environment.
package config

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/fliliy/chat/proto/identity"
)

// Prefix starts the name of every environment variable of the gateway.
const Prefix = "FLILIY_GATEWAY_"

// MinSecret is the least length of JWT_SECRET in bytes: as long as the HS256 digest (RFC 7518 section 3.2).
const MinSecret = 32

// Config is what a gateway can be told. The zero value is not usable: start from Default or Load.
type Config struct {
	// Addr is the public address: WebSocket, REST, test page, /healthz and /readyz.
	Addr string `env:"ADDR"`
	// AdminAddr serves /metrics, /debug/pprof and /drain; never reachable by the public. Empty: none.
	AdminAddr string `env:"ADMIN_ADDR"`
	// AdminToken is what operators and Prometheus show there (Authorization: Bearer); empty: nobody has to, and AdminAddr
	// is a loopback address.
	AdminToken string `env:"ADMIN_TOKEN"`
	// ChatsvcTarget is the chat service as a gRPC target, such as dns:///chatsvc:9090.
	ChatsvcTarget string `env:"CHATSVC_TARGET"`
	// ChatsvcCredential is name:secret, as the chat service's CALLERS know this gateway; empty: the chat service asks
	// for none.
	ChatsvcCredential string `env:"CHATSVC_CREDENTIAL"`
	// RedisURL names the Redis that holds presence: redis://[user:password@]host:port[/db].
	RedisURL string `env:"REDIS_URL"`
	// ChatsvcTLS is how the chat service is spoken to; without any of it in plain text.
	ChatsvcTLS identity.TLS `envPrefix:"CHATSVC_TLS_"`
	// RedisTLS is for a rediss:// RedisURL; without it the system's authorities are believed.
	RedisTLS identity.TLS `envPrefix:"REDIS_TLS_"`
	// PresenceDebounce is how long a user still counts as online, and in her rooms, after her connection has ended; 0:
	// not at all.
	PresenceDebounce time.Duration `env:"PRESENCE_DEBOUNCE"`
	// Origins are the web origins that may connect, such as https://shop.example; empty: the same origin only.
	Origins []string `env:"ORIGINS"`

	// TrustedProxies are the networks (10.0.0.0/8) of proxies whose X-Forwarded-For says where clients are; none: every
	// connection is its client's own.
	TrustedProxies []netip.Prefix `env:"TRUSTED_PROXIES"`
	// ProxyProtocol says that these proxies send a PROXY protocol header (version 1 or 2) before all else, each time.
	ProxyProtocol bool `env:"PROXY_PROTOCOL"`

	TLS    TLS    `envPrefix:"TLS_"`
	Peer   Peer   `envPrefix:"PEER_"`
	SockJS SockJS `envPrefix:"SOCKJS_"`
	NATS   NATS   `envPrefix:"NATS_"`
	JWT    JWT    `envPrefix:"JWT_"`
	Limits Limits `envPrefix:"LIMIT_"`
	Rates  Rates  `envPrefix:"RATE_"`
	Log    Log    `envPrefix:"LOG_"`
}

// TLS is what the public address speaks besides: nothing where both are empty. The admin address stays plain.
type TLS struct {
	Cert string `env:"CERT"` // PEM file: the certificate, and those that lead to its root
	Key  string `env:"KEY"`  // PEM file: its private key
}

// Peer is how gateways reach each other, to carry requests of SockJS sessions to the gateway that holds them. Without
// Addr such sessions need a load balancer that keeps each on one gateway, or a single gateway.
type Peer struct {
	// Addr is where this gateway listens for others, never a public address; empty: it does not.
	Addr string `env:"ADDR"`
	// URL is how the others reach it, such as http://10.0.0.7:8092; empty: Addr, or where that names no host the first
	// address of this machine.
	URL string `env:"URL"`
	// Secret is the same for all gateways, and not that of tokens.
	Secret string `env:"SECRET"`
}

// SockJS is what is off unless asked for: transports of browsers of another age.
type SockJS struct {
	JSONP     bool   `env:"JSONP"`      // jsonp, jsonp_send
	HTMLFile  bool   `env:"HTMLFILE"`   // htmlfile
	ClientURL string `env:"CLIENT_URL"` // of the script that iframe.html loads; empty: there is no such page
}

// NATS is how to reach the broker.
type NATS struct {
	URL      string `env:"URL"` // one or several, comma-separated
	User     string `env:"USER"`
	Password string `env:"PASSWORD"`
	// TLS, if any of it is set, is used with every server, whatever the URL's scheme; a tls:// URL alone believes the
	// system's authorities.
	TLS identity.TLS `envPrefix:"TLS_"`
}

// JWT is how users prove who they are. At least one of Secret, PublicKeys and JWKSURL is set; a token is good when any of
// their keys has signed it.
type JWT struct {
	Secret string `env:"SECRET"` // HS256, at least MinSecret bytes
	// PreviousSecret is accepted beside Secret, while tokens that were signed with it are still about.
	PreviousSecret string `env:"PREVIOUS_SECRET"`
	// PublicKeys are PEM files with public keys of RS256, ES256 and EdDSA; any of them may have signed a token.
	PublicKeys []string `env:"PUBLIC_KEY"`
	// JWKSURL is where the issuer publishes its keys; https, or http on this machine.
	JWKSURL  string        `env:"JWKS_URL"`
	Claim    string        `env:"USER_CLAIM"` // which claim is the user id
	Issuer   string        `env:"ISSUER"`     // required "iss", empty: any
	Audience string        `env:"AUDIENCE"`   // required "aud", empty: any
	Leeway   time.Duration `env:"LEEWAY"`     // clock skew allowed on exp, nbf and iat, at most a minute
}

// Default is the configuration of a gateway on a developer's machine, but for the secret.
func Default() Config {
	return Config{
		Addr:          "127.0.0.1:8080",
		AdminAddr:     "127.0.0.1:8090",
		ChatsvcTarget: "127.0.0.1:9090",
		RedisURL:      "redis://127.0.0.1:6379",

		PresenceDebounce: 3 * time.Second,

		NATS:   NATS{URL: "nats://127.0.0.1:4222"},
		JWT:    JWT{Claim: "sub", Leeway: 5 * time.Second},
		Limits: defaultLimits(),
		Rates:  DefaultRates(),
		Log:    Log{Format: "json"},
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
