package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// MinSecret is the least length of an HS256 secret, in bytes (RFC 7518 section 3.2: not below the hash's output).
	MinSecret = 32
	// minRSA is the least size of an RSA key, in bits (RFC 7518 section 3.3).
	minRSA = 2048
	// maxSignature is the longest signature, in bytes: of an RSA key of 8,192 bits, the largest that is taken.
	maxSignature = 1024
)

// Key is a key that tokens may be signed with, and the one algorithm that it is for.
type Key struct {
	method   jwt.SigningMethod
	material any // as the method wants it
	size     int // of a signature, in bytes
}

// Secret makes an HS256 key of at least MinSecret bytes.
func Secret(secret []byte) (Key, error) {
	switch {
	case len(secret) < MinSecret:
		return Key{}, fmt.Errorf("the token secret has %d bytes: give one of at least %d random bytes", len(secret), MinSecret)
	case strings.Contains(string(secret), "-----BEGIN"):
		return Key{}, errors.New("the token secret is a PEM file: a public key is no secret; give it as the public key")
	}
	return Key{jwt.SigningMethodHS256, slices.Clone(secret), sha256.Size}, nil
}

// PublicKey makes a key of a public key: RS256 of an RSA key, ES256 of an ECDSA key on P-256, EdDSA of an Ed25519 key.
func PublicKey(public any) (Key, error) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSA || bits > 8*maxSignature {
			return Key{}, fmt.Errorf("an RSA key of %d bits is not between %d and %d bits", bits, minRSA, 8*maxSignature)
		}
		return Key{jwt.SigningMethodRS256, k, k.Size()}, nil
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return Key{}, fmt.Errorf("an ECDSA key on %s is not one on P-256", k.Curve.Params().Name)
		}
		return Key{jwt.SigningMethodES256, k, 64}, nil
	case ed25519.PublicKey:
		return Key{jwt.SigningMethodEdDSA, k, ed25519.SignatureSize}, nil
	}
	return Key{}, fmt.Errorf("a key of type %T is none of RSA, ECDSA and Ed25519", public)
}

// ParsePublicKeys reads all public keys of a PEM file: blocks PUBLIC KEY, RSA PUBLIC KEY and CERTIFICATE (of which only
// the key counts). A file with anything else in it, above all a private key, is refused.
func ParsePublicKeys(file []byte) ([]Key, error) {
	var keys []Key
	for {
		var block *pem.Block
		if block, file = pem.Decode(file); block == nil {
			break
		}
		public, err := parseBlock(block)
		if err != nil {
			return nil, err
		}
		key, err := PublicKey(public)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no PEM block PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE in it")
	}
	return keys, nil
}

func parseBlock(block *pem.Block) (any, error) {
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return certificate.PublicKey, nil
	}
	if strings.Contains(block.Type, "PRIVATE") {
		return nil, errors.New("there is a private key in it: keep that with the issuer, and give the public key only")
	}
	return nil, fmt.Errorf("a PEM block %q is no public key", block.Type)
}

// signed says whether the signature of the text was made with the key, by the key's own algorithm.
func (k *Key) signed(text string, signature []byte) bool {
	return len(signature) == k.size && k.method.Verify(text, signature, k.material) == nil
}
