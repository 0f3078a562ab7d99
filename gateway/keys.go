package gateway

import (
	"fmt"
	"os"

	"github.com/fliliy/chat/gateway/config"
	"github.com/fliliy/chat/gateway/internal/auth"
)

// newVerifier makes the verifier of tokens, with the keys that the configuration names.
func (g *Gateway) newVerifier() (*auth.Verifier, error) {
	keys, err := keysOf(g.cfg.JWT)
	if err != nil {
		return nil, err
	}
	if g.cfg.JWT.JWKSURL != "" {
		g.jwks = auth.NewJWKS(auth.JWKSOptions{URL: g.cfg.JWT.JWKSURL, Logger: g.logger})
	}
	leeway := g.cfg.JWT.Leeway
	if leeway == 0 {
		leeway = -1 // none, not the default
	}
	return auth.New(auth.Options{
		Keys: keys, JWKS: g.jwks, Revocations: g.revoked,
		UserClaim: g.cfg.JWT.Claim, Issuer: g.cfg.JWT.Issuer, Audience: g.cfg.JWT.Audience, Leeway: leeway,
	})
}

// keysOf reads the secrets and the files. The secret comes first: it is the one to sign with.
func keysOf(cfg config.JWT) ([]auth.Key, error) {
	var keys []auth.Key
	for _, secret := range []string{cfg.Secret, cfg.PreviousSecret} {
		if secret == "" {
			continue
		}
		key, err := auth.Secret([]byte(secret))
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	for _, path := range cfg.PublicKeys {
		file, err := os.ReadFile(path) //nolint:gosec // the operator names it
		if err != nil {
			return nil, fmt.Errorf("read the public key of tokens: %w", err)
		}
		some, err := auth.ParsePublicKeys(file)
		if err != nil {
			return nil, fmt.Errorf("read the public key of tokens %s: %w", path, err)
		}
		keys = append(keys, some...)
	}
	return keys, nil
}
