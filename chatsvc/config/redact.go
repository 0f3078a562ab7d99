package config

import (
	"log/slog"
	"net/url"
	"slices"
	"strings"
)

const hidden = "xxxxx"

// Redacted returns the configuration with its passwords hidden, for logs and check-config.
func (c Config) Redacted() Config {
	if _, ok := c.SQLitePath(); !ok {
		c.DatabaseURL = redactURL(c.DatabaseURL)
	}
	if len(c.Callers) > 0 {
		c.Callers = slices.Clone(c.Callers)
		for i := range c.Callers {
			c.Callers[i].Secret = hidden
		}
	}
	if c.AdminToken != "" {
		c.AdminToken = hidden
	}
	c.RedisURL = redactURL(c.RedisURL)
	servers := strings.Split(c.NATS.URL, ",")
	for i, server := range servers {
		servers[i] = redactURL(strings.TrimSpace(server))
	}
	c.NATS.URL = strings.Join(servers, ",")
	if c.NATS.Password != "" {
		c.NATS.Password = hidden
	}
	return c
}

// redactURL hides the password of a URL, wherever it stands. A NATS token stands in the place of the user. What is no
// URL is hidden altogether: nobody can say which part of it is secret.
func redactURL(raw string) string {
	if raw == "" {
		return ""
	}
	parsed, err := url.Parse(raw)
	if err != nil || parsed.Host == "" {
		return hidden
	}
	if query := parsed.Query(); query.Has("password") || query.Has("sslpassword") {
		for _, key := range []string{"password", "sslpassword"} {
			if query.Has(key) {
				query.Set(key, hidden)
			}
		}
		parsed.RawQuery = query.Encode()
	}
	if _, has := parsed.User.Password(); !has && parsed.User != nil && parsed.Scheme != "postgres" &&
		parsed.Scheme != "postgresql" {
		parsed.User = url.User(hidden)
	}
	return parsed.Redacted()
}

// LogValue keeps secrets out of logs, whoever logs a Config.
func (c Config) LogValue() slog.Value {
	c = c.Redacted()
	return slog.GroupValue(
		slog.String("addr", c.Addr),
		slog.String("adminAddr", c.AdminAddr),
		slog.Bool("adminToken", c.AdminToken != ""),
		slog.String("callers", callerNames(c.Callers)),
		slog.String("databaseURL", c.DatabaseURL),
		slog.String("natsURL", c.NATS.URL),
		slog.String("natsUser", c.NATS.User),
		slog.Bool("tls", c.TLS.On()),
		slog.Bool("mutualTLS", c.TLS.CA != ""),
		slog.Bool("natsTLS", c.NATS.TLS.On()),
		slog.String("callTimeout", c.RPC.CallTimeout.String()),
		slog.Int("maxMessageBytes", c.RPC.MaxMessageBytes),
		slog.String("maxConnectionAge", c.RPC.MaxConnectionAge.String()),
		slog.String("editWindow", c.EditWindow.String()),
		slog.String("recallWindow", c.RecallWindow.String()),
		slog.String("tokenLife", c.TokenLife.String()),
		slog.Int("batchSize", c.BatchSize),
		slog.String("shutdownTimeout", c.ShutdownTimeout.String()),
		slog.String("logLevel", c.Log.Level.String()),
		slog.String("logFormat", c.Log.Format),
	)
}
