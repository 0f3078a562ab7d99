package gateway

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/fliliy/chat/gateway/config"
	"github.com/fliliy/chat/gateway/internal/auth"
	"github.com/fliliy/chat/proto/identity"
)

// SignToken makes an HS256 token for a user, as the marketplace's login would; for development and operators. The
// secret has at least config.MinSecret bytes.
func SignToken(secret, user string, life time.Duration) (string, error) {
	if err := identity.ValidUserID(user); err != nil {
		return "", err
	}
	token, err := auth.Sign([]byte(secret), user, life)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return token, nil
}

// GenerateToken makes an HS256 token that a gateway with this configuration accepts: with its secret, user claim, issuer
// and audience. Without a secret there is nothing to sign with.
func GenerateToken(cfg config.JWT, user string, life time.Duration) (string, error) {
	if cfg.Secret == "" {
		return "", errors.New("sign a token: " + config.Prefix + "JWT_SECRET is not set; only the issuer has the private key")
	}
	verifier, err := auth.NewHS256([]byte(cfg.Secret), auth.Options{
		UserClaim: cfg.Claim, Issuer: cfg.Issuer, Audience: cfg.Audience,
	})
	if err != nil {
		return "", err
	}
	return verifier.Sign(user, life)
}

// Version is the version of the module this binary was built from, or "devel".
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
