package identity

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/grpc/metadata"
)

// credentialKey is the metadata key under which a calling service says which one it is: "Bearer name:secret".
const credentialKey = "authorization"

const bearer = "Bearer "

// MinSecret is the least length of a caller's secret in bytes.
const MinSecret = 32

// Credential is how a service proves which one it is: its name and the secret that it shares with the chat service.
// As gRPC's PerRPCCredentials it goes with every call.
type Credential struct {
	Name   string
	Secret string
}

// ParseCredential reads "name:secret". Errors do not repeat the secret.
func ParseCredential(text string) (Credential, error) {
	name, secret, found := strings.Cut(text, ":")
	c := Credential{Name: name, Secret: secret}
	if !found {
		return Credential{}, errors.New("is not name:secret")
	}
	return c, c.Validate()
}

// Validate says what is wrong with the name or the secret, without repeating the secret.
func (c Credential) Validate() error {
	switch {
	case c.Name == "" || len(c.Name) > MaxUserID || strings.ContainsFunc(c.Name, notInName):
		return errors.New("the name must be of the letters a to z, digits, - and _")
	case len(c.Secret) < MinSecret:
		return errors.New("the secret is too short; want 32 bytes or more, such as from: openssl rand -hex 32")
	case strings.ContainsFunc(c.Secret, func(r rune) bool { return r <= ' ' || r > '~' || r == ',' || r == ':' }):
		return errors.New("the secret must be of visible ASCII characters, without comma and colon")
	}
	return nil
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (c Credential) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{credentialKey: bearer + c.Name + ":" + c.Secret}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials: a network that is private needs no TLS.
func (c Credential) RequireTransportSecurity() bool { return false }

// Caller returns the credential of an incoming call, unchecked; false where it has none, or more than one.
func Caller(ctx context.Context) (Credential, bool) {
	values := metadata.ValueFromIncomingContext(ctx, credentialKey)
	if len(values) != 1 {
		return Credential{}, false
	}
	text, ok := strings.CutPrefix(values[0], bearer)
	name, secret, found := strings.Cut(text, ":")
	return Credential{Name: name, Secret: secret}, ok && found
}
