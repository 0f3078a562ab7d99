package config

import (
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/fliliy/chat/gateway/internal/auth"
)

// validate says what is wrong with the keys of tokens and with what tokens must be like. It reads the files it names.
func (j *JWT) validate(fault func(variable, format string, args ...any)) {
	if j.Secret != "" || len(j.PublicKeys) == 0 && j.JWKSURL == "" {
		validateSecret("JWT_SECRET", j.Secret, fault)
	}
	if j.PreviousSecret != "" {
		validateSecret("JWT_PREVIOUS_SECRET", j.PreviousSecret, fault)
	}
	for _, path := range j.PublicKeys {
		file, err := os.ReadFile(path) //nolint:gosec // the operator names it
		if err == nil {
			_, err = auth.ParsePublicKeys(file)
		}
		if err != nil {
			fault("JWT_PUBLIC_KEY", "%s: %v", path, err)
		}
	}
	if j.JWKSURL != "" && !safeURL(j.JWKSURL) {
		fault("JWT_JWKS_URL", "is no https:// URL, nor an http:// one of this machine: who can change the answer signs in as anyone")
	}
	if j.Claim == "" {
		fault("JWT_USER_CLAIM", "is empty; the usual claim is sub")
	}
	if j.Leeway < 0 || j.Leeway > time.Minute {
		fault("JWT_LEEWAY", "%v is not between 0 and 1m", j.Leeway)
	}
}

func validateSecret(variable, secret string, fault func(variable, format string, args ...any)) {
	switch {
	case len(secret) < MinSecret:
		fault(variable, "has %d bytes, at least %d are needed; make one with: openssl rand -base64 48", len(secret), MinSecret)
	case strings.Contains(secret, "-----BEGIN"):
		fault(variable, "is a PEM file: a public key is no secret; give its path as JWT_PUBLIC_KEY")
	case variety(secret) < minVariety:
		fault(variable, "repeats a few characters; make one with: openssl rand -base64 48")
	}
}

// safeURL says whether nobody on the way can change what a URL answers.
func safeURL(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}
