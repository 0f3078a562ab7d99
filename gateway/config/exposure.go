package config

import (
	"net"
	"net/url"
	"slices"
)

// minVariety is how many different bytes a secret has to have: one of fewer was typed, not drawn.
const minVariety = 8

// validateExposure says which addresses are open to more than they may be: a public one must not be plain text, and
// whoever reaches the admin server sees the memory of the process and can send all clients away.
func (c *Config) validateExposure(fault func(variable, format string, args ...any)) {
	if reachable(c.Addr) && c.TLS.Cert == "" && c.TLS.Key == "" && len(c.TrustedProxies) == 0 {
		fault("ADDR", "%s can be reached from other machines, and tokens would pass in plain text: give %[2]sTLS_CERT and "+
			"%[2]sTLS_KEY, or name the proxies that end TLS in %[2]sTRUSTED_PROXIES, or listen on 127.0.0.1", c.Addr, Prefix)
	}
	switch {
	case c.AdminToken != "":
		validateSecret("ADMIN_TOKEN", c.AdminToken, fault)
		if c.AdminToken == c.JWT.Secret || c.AdminToken == c.JWT.PreviousSecret || c.AdminToken == c.Peer.Secret {
			fault("ADMIN_TOKEN", "is the secret of tokens or of gateways; operators need one of their own")
		}
	case reachable(c.AdminAddr):
		fault("ADMIN_TOKEN", "is not set, and %s can be reached from other machines: make one with: openssl rand -hex 32, "+
			"or listen on 127.0.0.1", c.AdminAddr)
	}
}

// reachable says whether other machines may reach an address; of what is none, others tell.
func reachable(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host != "localhost" && (ip == nil || !ip.IsLoopback())
}

// variety counts the different bytes of a text.
func variety(text string) int {
	var seen [256]bool
	count := 0
	for i := range len(text) {
		if !seen[text[i]] {
			seen[text[i]] = true
			count++
		}
	}
	return count
}

// validateRedis refuses what is no URL of Redis, and one that turns the check of the certificate off, as the driver can.
func (c *Config) validateRedis(fault func(variable, format string, args ...any)) {
	u, err := url.Parse(c.RedisURL)
	switch {
	case err != nil || !slices.Contains([]string{"redis", "rediss", "unix"}, u.Scheme):
		fault("REDIS_URL", "not a URL such as redis://redis:6379")
	case u.Query().Has("skip_verify"):
		fault("REDIS_URL", "says skip_verify: without its certificate anybody can be the Redis; leave it out")
	}
}
