package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fliliy/chat/gateway/internal/certificate"
	"github.com/fliliy/chat/proto/identity"
)

// Validate says everything that is wrong, one fault a line, each by the variable that sets it; nil when nothing is. No
// fault shows a secret.
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
	if c.ChatsvcCredential != "" {
		if _, err := identity.ParseCredential(c.ChatsvcCredential); err != nil {
			fault("CHATSVC_CREDENTIAL", "%w", err)
		}
	}
	c.validateTLS(fault)
	for _, one := range strings.Split(c.NATS.URL, ",") {
		if !hasScheme(one, "nats", "tls", "ws", "wss") {
			fault("NATS_URL", "not a list of URLs such as nats://nats:4222")
		}
	}
	c.validateRedis(fault)
	if c.PresenceDebounce < 0 || c.PresenceDebounce > time.Minute {
		fault("PRESENCE_DEBOUNCE", "%v is not between 0 and 1m", c.PresenceDebounce)
	}
	c.validateExposure(fault)
	c.TLS.validate(fault)
	if c.ProxyProtocol && len(c.TrustedProxies) == 0 {
		fault("PROXY_PROTOCOL", "is on, and nobody is trusted to speak it: name the proxies' networks in %sTRUSTED_PROXIES", Prefix)
	}
	c.JWT.validate(fault)
	c.Peer.validate(fault, c.JWT)
	c.SockJS.validate(fault)
	for _, origin := range c.Origins {
		if u, err := url.Parse(origin); err != nil || u.Host == "" || origin != u.Scheme+"://"+u.Host ||
			strings.Contains(origin, "*") {
			fault("ORIGINS", "%q is not an origin such as https://shop.example", origin)
		}
	}
	c.Limits.validate(fault)
	c.Rates.validate(fault)
	if c.Log.Format != "json" && c.Log.Format != "text" {
		fault("LOG_FORMAT", "%q is neither json nor text", c.Log.Format)
	}
	return errors.Join(faults...)
}

func (t *TLS) validate(fault func(variable, format string, args ...any)) {
	switch {
	case t.Cert == "" && t.Key == "":
	case t.Cert == "":
		fault("TLS_CERT", "is empty, and TLS_KEY is not: give both, or neither")
	case t.Key == "":
		fault("TLS_KEY", "is empty, and TLS_CERT is not: give both, or neither")
	default:
		if err := certificate.Check(t.Cert, t.Key); err != nil {
			fault("TLS_CERT", "%w", err)
		}
	}
}

func (p *Peer) validate(fault func(variable, format string, args ...any), tokens JWT) {
	if p.Addr == "" {
		if p.URL != "" || p.Secret != "" {
			fault("PEER_ADDR", "is empty, so the other PEER_ settings mean nothing; say where to listen, such as 10.0.0.7:8092")
		}
		return
	}
	if _, _, err := net.SplitHostPort(p.Addr); err != nil {
		fault("PEER_ADDR", "%q is not host:port", p.Addr)
	}
	if len(p.Secret) < MinSecret {
		fault("PEER_SECRET", "has %d bytes, at least %d are needed; make one with: openssl rand -base64 48",
			len(p.Secret), MinSecret)
	}
	if p.Secret != "" && (p.Secret == tokens.Secret || p.Secret == tokens.PreviousSecret) {
		fault("PEER_SECRET", "is that of tokens; gateways need one of their own")
	}
	if u, err := url.Parse(p.URL); p.URL != "" && (err != nil || u.Host == "" || p.URL != "http://"+u.Host) {
		fault("PEER_URL", "%q is not a URL such as http://10.0.0.7:8092", p.URL)
	}
}

func (s *SockJS) validate(fault func(variable, format string, args ...any)) {
	u, err := url.Parse(s.ClientURL)
	if err != nil || u.Scheme != "" && u.Scheme != "https" && u.Scheme != "http" {
		fault("SOCKJS_CLIENT_URL", "%q is neither a path nor a URL such as https://shop.example/sockjs.min.js", s.ClientURL)
	}
}

// validateTLS reads the files of the connections to other services.
func (c *Config) validateTLS(fault func(variable, format string, args ...any)) {
	for variable, files := range map[string]identity.TLS{
		"CHATSVC_TLS_CA": c.ChatsvcTLS, "NATS_TLS_CA": c.NATS.TLS, "REDIS_TLS_CA": c.RedisTLS,
	} {
		if _, err := files.Client(); err != nil {
			fault(variable, "%w", err)
		}
	}
	if c.RedisTLS.On() && !hasScheme(c.RedisURL, "rediss") {
		fault("REDIS_TLS_CA", "is for a REDIS_URL of the form rediss://host:6379, which this is not")
	}
}

func hasScheme(value string, schemes ...string) bool {
	u, err := url.Parse(value)
	return err == nil && slices.Contains(schemes, u.Scheme)
}
