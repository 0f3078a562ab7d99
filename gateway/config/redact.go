package config

import (
	"log/slog"
	"net/url"
	"strings"
)

const hidden = "xxxxx"

// Redacted returns the configuration with its secrets hidden, for logs and check-config.
func (c Config) Redacted() Config {
	for _, secret := range []*string{&c.JWT.Secret, &c.JWT.PreviousSecret, &c.NATS.Password, &c.Peer.Secret, &c.ChatsvcCredential, &c.AdminToken} {
		if *secret != "" {
			*secret = hidden
		}
	}
	c.RedisURL = redactURL(c.RedisURL)
	if c.JWT.JWKSURL != "" {
		c.JWT.JWKSURL = redactURL(c.JWT.JWKSURL)
	}
	servers := strings.Split(c.NATS.URL, ",")
	for i, server := range servers {
		servers[i] = redactURL(strings.TrimSpace(server))
	}
	c.NATS.URL = strings.Join(servers, ",")
	return c
}

// redactURL hides who logs in to a URL, and how: a NATS token stands in the place of the user. What is no URL is hidden
// altogether: nobody can say which part of it is secret.
func redactURL(raw string) string {
	parsed, err := url.Parse(raw)
	if err != nil || parsed.Host == "" && parsed.Path == "" {
		return hidden
	}
	if parsed.User != nil {
		parsed.User = url.User(hidden)
	}
	return parsed.String()
}

// LogValue keeps secrets out of logs, whoever logs a Config.
func (c Config) LogValue() slog.Value {
	type plain Config // without this method
	return slog.AnyValue(plain(c.Redacted()))
}
