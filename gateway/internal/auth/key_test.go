package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fliliy/chat/gateway/internal/auth"
	"github.com/fliliy/chat/gateway/internal/event"
)

// pair is a key of an issuer and the method that signs with it.
type pair struct {
	method  jwt.SigningMethod
	private crypto.Signer
}

// pairs makes a key of each kind.
func pairs(t *testing.T) map[string]pair {
	t.Helper()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]pair{
		"RS256": {jwt.SigningMethodRS256, rsaKey},
		"ES256": {jwt.SigningMethodES256, ecKey},
		"EdDSA": {jwt.SigningMethodEdDSA, edKey},
	}
}

func (p pair) pem(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(p.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// sign makes a token of alice with header fields beside alg and typ.
func (p pair) sign(t *testing.T, method jwt.SigningMethod, header map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, jwt.MapClaims{"sub": "alice", "exp": time.Now().Add(time.Hour).Unix()})
	for name, value := range header {
		token.Header[name] = value
	}
	signed, err := token.SignedString(p.private)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestPublicKeys(t *testing.T) {
	t.Parallel()
	all := pairs(t)
	var file []byte
	for _, p := range all {
		file = append(file, p.pem(t)...)
	}
	keys, err := auth.ParsePublicKeys(file)
	if err != nil || len(keys) != len(all) {
		t.Fatalf("ParsePublicKeys = %d keys, %v; want %d", len(keys), err, len(all))
	}
	v, err := auth.New(auth.Options{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	stranger := pairs(t)
	for name, p := range all {
		if who, err := v.Verify(t.Context(), p.sign(t, p.method, nil)); err != nil || who.User != "alice" {
			t.Errorf("%s: Verify = %q, %v; want alice", name, who.User, err)
		}
		_, err := v.Verify(t.Context(), stranger[name].sign(t, p.method, nil))
		wantCode(t, err, event.Unauthenticated)
		_, err = v.Verify(t.Context(), token(t, `{"sub":"alice","exp":SOON}`))
		wantCode(t, err, event.Unauthenticated)
	}
	// The same RSA key, by another algorithm than its own.
	for _, method := range []jwt.SigningMethod{jwt.SigningMethodRS512, jwt.SigningMethodPS256} {
		_, err := v.Verify(t.Context(), all["RS256"].sign(t, method, nil))
		wantCode(t, err, event.Unauthenticated)
	}
	if _, err := v.Sign("alice", time.Hour); err == nil {
		t.Error("signed without a secret")
	}
}

// The algorithm belongs to the key: a header that names another one is refused, though the signature is good.
func TestThreat04HeaderNamesAnotherAlgorithm(t *testing.T) {
	t.Parallel()
	p := pairs(t)["RS256"]
	keys, err := auth.ParsePublicKeys(p.pem(t))
	if err != nil {
		t.Fatal(err)
	}
	v, err := auth.New(auth.Options{Keys: keys, AllowNoExpiry: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, alg := range []string{"none", "HS256", "RS384", "PS256", "rs256", ""} {
		text := segment(`{"alg":"`+alg+`"}`) + "." + segment(`{"sub":"alice"}`)
		signature, err := jwt.SigningMethodRS256.Sign(text, p.private)
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(t.Context(), text+"."+jwt.New(jwt.SigningMethodRS256).EncodeSegment(signature))
		wantCode(t, err, event.Unauthenticated)
	}
}

func TestParsePublicKeysRefuses(t *testing.T) {
	t.Parallel()
	small := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	public := func(key any) string {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return block("PUBLIC KEY", der)
	}
	private, err := x509.MarshalPKCS8PrivateKey(p384)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ file, says string }{
		"empty":       {"", "no PEM block"},
		"no PEM":      {"secret", "no PEM block"},
		"private key": {block("PRIVATE KEY", private), "private key"},
		"EC private":  {block("EC PRIVATE KEY", private), "private key"},
		"small RSA":   {public(small), "1024 bits"},
		"P-384":       {public(&p384.PublicKey), "P-384"},
		"garbage":     {block("PUBLIC KEY", []byte("x")), ""},
		"other block": {block("DH PARAMETERS", []byte("x")), "DH PARAMETERS"},
	} {
		if _, err := auth.ParsePublicKeys([]byte(tc.file)); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want an error with %q", name, err, tc.says)
		}
	}
	if _, err := auth.New(auth.Options{}); err == nil {
		t.Error("a verifier without keys was made")
	}
}

// Headers that name keys open no file and no connection, and help nobody: not with the key that they name, and not with
// a good signature either. A kid is data.
func TestThreat05KeyHeaders(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusOK)
	}))
	defer listener.Close()
	file := filepath.Join(t.TempDir(), "key")
	planted := []byte("the key of the attacker, 32 bytes")
	if err := os.WriteFile(file, planted, 0o600); err != nil {
		t.Fatal(err)
	}
	v := verifier(t, auth.Options{AllowNoExpiry: true, JWKS: auth.NewJWKS(auth.JWKSOptions{URL: listener.URL})})
	quoted := func(s string) string { return strconv.Quote(s) }
	for name, tc := range map[string]struct {
		header string
		good   bool // with a good signature
	}{
		"path":     {`{"alg":"HS256","kid":` + quoted(file) + `}`, true},
		"dev null": {`{"alg":"HS256","kid":"../../../../../../dev/null"}`, true},
		"SQL":      {`{"alg":"HS256","kid":"' OR 1=1 --"}`, true},
		"URL":      {`{"alg":"HS256","kid":` + quoted(listener.URL) + `}`, true},
		"long kid": {`{"alg":"HS256","kid":"` + strings.Repeat("k", 7<<10) + `"}`, false},
		"jku":      {`{"alg":"HS256","jku":` + quoted(listener.URL) + `}`, false},
		"x5u":      {`{"alg":"HS256","x5u":` + quoted(listener.URL) + `}`, false},
		"x5c":      {`{"alg":"HS256","x5c":["AA"]}`, false},
		"jwk":      {`{"alg":"HS256","jwk":{"kty":"oct","k":"AA"}}`, false},
		"crit":     {`{"alg":"HS256","crit":["exp"]}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v.Verify(t.Context(), raw(t, tc.header, `{"sub":"alice"}`, secret))
			if tc.good && err != nil {
				t.Errorf("with a good signature: %v", err)
			} else if !tc.good {
				wantCode(t, err, event.Unauthenticated)
			}
			for _, key := range [][]byte{{}, planted, {0}} {
				if _, err := v.Verify(expired(t), raw(t, tc.header, `{"sub":"alice"}`, key)); err == nil {
					t.Error("accepted without our signature")
				}
			}
		})
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("%d connections were made because of a header", n)
	}
}
