package auth_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fliliy/chat/gateway/internal/auth"
	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/proto/identity"
)

var secret = []byte("0123456789abcdef0123456789abcdef")

func verifier(t *testing.T, opts auth.Options) *auth.Verifier {
	t.Helper()
	v, err := auth.NewHS256(secret, opts)
	if err != nil {
		t.Fatalf("new verifier: %v", err)
	}
	return v
}

// raw signs header and claims as they stand, which no well-behaved library would.
func raw(t testing.TB, header, claims string, key []byte) string {
	t.Helper()
	text := segment(header) + "." + segment(claims)
	signature, err := jwt.SigningMethodHS256.Sign(text, key)
	if err != nil {
		t.Fatalf("sign: %v", err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func segment(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

const hs256 = `{"alg":"HS256","typ":"JWT"}`

// token signs claims with a good key and header; soon is an "exp" in an hour.
func token(t *testing.T, claims string) string {
	t.Helper()
	soon, err := json.Marshal(time.Now().Add(time.Hour).Unix())
	if err != nil {
		t.Fatal(err)
	}
	return raw(t, hs256, strings.ReplaceAll(claims, "SOON", string(soon)), secret)
}

func wantCode(t *testing.T, err error, code event.Code) {
	t.Helper()
	var refused *event.Error
	if !errors.As(err, &refused) {
		t.Fatalf("error = %v, want *event.Error %s", err, code)
	}
	if refused.Code != code {
		t.Fatalf("code = %s, want %s", refused.Code, code)
	}
}

func TestVerifyGoodTokens(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, claims, user string
		opts               auth.Options
	}{
		{"plain", `{"sub":"alice","exp":SOON}`, "alice", auth.Options{}},
		{"user name of any script", `{"sub":"张三","exp":SOON}`, "张三", auth.Options{}},
		{"longest user id", `{"sub":"` + strings.Repeat("u", 128) + `","exp":SOON}`, strings.Repeat("u", 128), auth.Options{}},
		{"own user claim", `{"uid":"bob","sub":"x","exp":SOON}`, "bob", auth.Options{UserClaim: "uid"}},
		{
			"issuer and audience", `{"sub":"a","iss":"shop","aud":["web","chat"],"exp":SOON}`, "a",
			auth.Options{Issuer: "shop", Audience: "chat"},
		},
		{"audience as a string", `{"sub":"a","aud":"chat","exp":SOON}`, "a", auth.Options{Audience: "chat"}},
		{"no expiry allowed", `{"sub":"alice"}`, "alice", auth.Options{AllowNoExpiry: true}},
		{"past nbf and iat", `{"sub":"alice","nbf":1,"iat":1,"exp":SOON}`, "alice", auth.Options{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			who, err := verifier(t, tc.opts).Verify(t.Context(), token(t, tc.claims))
			if err != nil || who.User != tc.user {
				t.Errorf("Verify = %q, %v; want %q", who.User, err, tc.user)
			}
		})
	}
}

// RELIABILITY's matrix of bad tokens: each has a good signature and is refused for what it claims.
func TestThreat07BadClaims(t *testing.T) {
	t.Parallel()
	strict := auth.Options{Issuer: "shop", Audience: "chat"}
	for _, tc := range []struct {
		name, claims string
		opts         auth.Options
	}{
		{"exp as a string", `{"sub":"a","exp":"SOON"}`, auth.Options{}},
		{"exp with a fraction", `{"sub":"a","exp":SOON.5}`, auth.Options{}},
		{"exp beyond float64", `{"sub":"a","exp":1e400}`, auth.Options{}},
		{"exp with an exponent", `{"sub":"a","exp":2e9}`, auth.Options{}},
		{"exp missing", `{"sub":"a"}`, auth.Options{}},
		{"exp null", `{"sub":"a","exp":null}`, auth.Options{}},
		{"exp huge", `{"sub":"a","exp":9223372036854775807}`, auth.Options{}},
		{"exp negative", `{"sub":"a","exp":-1}`, auth.Options{}},
		{"exp null where none is needed", `{"sub":"a","exp":null}`, auth.Options{AllowNoExpiry: true}},
		{"nbf in the future", `{"sub":"a","exp":SOON,"nbf":SOON}`, auth.Options{}},
		{"nbf huge", `{"sub":"a","exp":SOON,"nbf":1e300}`, auth.Options{}},
		{"iat in the future", `{"sub":"a","exp":SOON,"iat":SOON}`, auth.Options{}},
		{"iat as a string", `{"sub":"a","exp":SOON,"iat":"1"}`, auth.Options{}},
		{"iss missing", `{"sub":"a","aud":"chat","exp":SOON}`, strict},
		{"iss of another", `{"sub":"a","iss":"shop2","aud":"chat","exp":SOON}`, strict},
		{"aud missing", `{"sub":"a","iss":"shop","exp":SOON}`, strict},
		{"aud of another", `{"sub":"a","iss":"shop","aud":["web"],"exp":SOON}`, strict},
		{"aud with a number in it", `{"sub":"a","iss":"shop","aud":["chat",1],"exp":SOON}`, strict},
		{"sub missing", `{"exp":SOON}`, auth.Options{}},
		{"sub empty", `{"sub":"","exp":SOON}`, auth.Options{}},
		{"sub a number", `{"sub":7,"exp":SOON}`, auth.Options{}},
		{"sub too long", `{"sub":"` + strings.Repeat("u", 129) + `","exp":SOON}`, auth.Options{}},
		{"sub with a control character", `{"sub":"a\nb","exp":SOON}`, auth.Options{}},
		{"own user claim missing", `{"sub":"a","exp":SOON}`, auth.Options{UserClaim: "uid"}},
		{"claims null", `null`, auth.Options{}},
		{"claims an array", `["sub"]`, auth.Options{}},
		{"claims no JSON", `{"sub":"a"`, auth.Options{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			who, err := verifier(t, tc.opts).Verify(t.Context(), token(t, tc.claims))
			if who.User != "" {
				t.Errorf("user = %q with an error", who.User)
			}
			wantCode(t, err, event.Unauthenticated)
		})
	}
}

// Algorithms: none in every spelling, and every other one, even when the signature is good HS256.
func TestThreat03AlgorithmIsPinned(t *testing.T) {
	t.Parallel()
	v := verifier(t, auth.Options{AllowNoExpiry: true})
	const claims = `{"sub":"alice"}`
	good := raw(t, hs256, claims, secret)
	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Fatalf("the control token: %v", err)
	}
	parts := strings.Split(good, ".")
	tokens := map[string]string{
		"two parts":         parts[0] + "." + parts[1],
		"empty signature":   parts[0] + "." + parts[1] + ".",
		"four parts":        good + ".",
		"signature cut":     good[:len(good)-1],
		"signature padded":  good + "=",
		"payload of other":  parts[0] + "." + segment(`{"sub":"bob"}`) + "." + parts[2],
		"empty":             "",
		"dots only":         "..",
		"wrong secret":      raw(t, hs256, claims, []byte("another secret of thirty-two byte")),
		"critical header":   raw(t, `{"alg":"HS256","crit":["exp"],"exp":1}`, claims, secret),
		"alg missing":       raw(t, `{"typ":"JWT"}`, claims, secret),
		"alg a number":      raw(t, `{"alg":256}`, claims, secret),
		"header no JSON":    raw(t, `alg:HS256`, claims, secret),
		"header of another": segment(`{"alg":"HS384"}`) + "." + parts[1] + "." + parts[2],
	}
	for _, alg := range []string{"none", "None", "NONE", "nOnE", "hs256", "HS384", "HS512", "RS256", "ES256", "PS256", ""} {
		header := `{"alg":"` + alg + `"}`
		tokens["signed as "+alg] = raw(t, header, claims, secret)
		tokens["unsigned as "+alg] = segment(header) + "." + parts[1] + "."
		tokens["no signature part as "+alg] = segment(header) + "." + parts[1]
	}
	for name, bad := range tokens {
		t.Run(name, func(t *testing.T) {
			_, err := v.Verify(t.Context(), bad)
			wantCode(t, err, event.Unauthenticated)
		})
	}
}

// An attacker who knows the public key of an RS256 issuer signs with it as if it were an HS256 secret.
func TestThreat04KeyConfusion(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	v := verifier(t, auth.Options{AllowNoExpiry: true})

	_, err = v.Verify(t.Context(), raw(t, hs256, `{"sub":"alice"}`, public))
	wantCode(t, err, event.Unauthenticated)

	honest, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{"sub": "alice"}).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Verify(t.Context(), honest)
	wantCode(t, err, event.Unauthenticated)

	if _, err := auth.Secret(public); err == nil {
		t.Error("a public key was taken as a secret")
	}
	keys, err := auth.ParsePublicKeys(public)
	if err != nil {
		t.Fatal(err)
	}
	both := verifier(t, auth.Options{AllowNoExpiry: true, Keys: keys})
	if _, err := both.Verify(t.Context(), honest); err != nil {
		t.Errorf("an RS256 token with its public key beside a secret: %v", err)
	}
	for _, forged := range [][]byte{public, der, key.N.Bytes()} {
		_, err = both.Verify(t.Context(), raw(t, hs256, `{"sub":"alice"}`, forged))
		wantCode(t, err, event.Unauthenticated)
	}
}

// All bad tokens look alike to the one who sent them.
func TestThreat03BadTokensShareOneText(t *testing.T) {
	t.Parallel()
	v := verifier(t, auth.Options{})
	texts := map[string]bool{}
	for _, bad := range []string{
		"", "x", raw(t, `{"alg":"none"}`, `{"sub":"a"}`, secret), token(t, `{"exp":SOON}`),
		token(t, `{"sub":"a"}`), strings.Repeat(".", 100), strings.Repeat("x", 1<<20),
	} {
		_, err := v.Verify(t.Context(), bad)
		wantCode(t, err, event.Unauthenticated)
		texts[err.Error()] = true
	}
	if len(texts) != 1 {
		t.Errorf("%d different texts for bad tokens: %v", len(texts), texts)
	}
}

func TestVerifyExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := verifier(t, auth.Options{})
		good, err := auth.Sign(secret, "alice", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		end := time.Now().Truncate(time.Second).Add(time.Minute)

		who, err := v.Verify(t.Context(), good)
		if err != nil || who.User != "alice" || !who.Expires.Equal(end.Add(5*time.Second)) {
			t.Fatalf("Verify = %q, %v, %v; want alice until %v", who.User, who.Expires, err, end.Add(5*time.Second))
		}
		<-time.After(time.Until(who.Expires) - time.Nanosecond)
		if _, err := v.Verify(t.Context(), good); err != nil {
			t.Errorf("within the leeway: %v", err)
		}
		<-time.After(time.Nanosecond)
		_, err = v.Verify(t.Context(), good)
		wantCode(t, err, event.TokenExpired)

		_, err = verifier(t, auth.Options{Leeway: time.Minute}).Verify(t.Context(), good)
		if err != nil {
			t.Errorf("with a longer leeway: %v", err)
		}
		_, err = verifier(t, auth.Options{Issuer: "shop"}).Verify(t.Context(), good)
		wantCode(t, err, event.Unauthenticated) // expired, and wrong besides: only wrong
	})
}

// CVE-2024-51744: a client must not be sent to refresh a token that nobody signed.
func TestThreat09ExpiredWithBadSignature(t *testing.T) {
	t.Parallel()
	v := verifier(t, auth.Options{})
	expired := `{"sub":"alice","exp":1}`
	_, err := v.Verify(t.Context(), raw(t, hs256, expired, secret))
	wantCode(t, err, event.TokenExpired)
	_, err = v.Verify(t.Context(), raw(t, hs256, expired, []byte("somebody else's secret, 32 bytes")))
	wantCode(t, err, event.Unauthenticated)
}

func TestNoExpiryIsTheZeroTime(t *testing.T) {
	t.Parallel()
	forever, err := auth.Sign(secret, "alice", 0)
	if err != nil {
		t.Fatal(err)
	}
	who, err := verifier(t, auth.Options{AllowNoExpiry: true}).Verify(t.Context(), forever)
	if err != nil || !who.Expires.IsZero() {
		t.Errorf("expires = %v, %v; want the zero time", who.Expires, err)
	}
}

// Bombs are refused before anything of them is decoded.
func TestThreat08BombsCostLittle(t *testing.T) {
	v := verifier(t, auth.Options{})
	fit := func(s string) string { return s[:min(len(s), auth.MaxToken)] }
	deep := segment(strings.Repeat(`{"a":`, 1100))
	for name, bomb := range map[string]string{
		"1 MiB token":             strings.Repeat("A", 1<<20),
		"100,000 dots":            strings.Repeat(".", 100_000),
		"as many dots as fit":     strings.Repeat(".", auth.MaxToken),
		"deep header":             fit(deep + "." + segment(`{}`) + "." + strings.Repeat("A", 43)),
		"deep claims":             segment(hs256) + "." + segment(strings.Repeat("[", 5900)) + "." + strings.Repeat("A", 43),
		"long kid":                segment(`{"alg":"HS256","kid":"`+strings.Repeat("k", 6000)+`"}`) + ".e30." + strings.Repeat("A", 43),
		"signature of everything": "e30.e30." + strings.Repeat("A", 8000),
	} {
		t.Run(name, func(t *testing.T) {
			const runs = 100
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range runs {
				if _, err := v.Verify(t.Context(), bomb); err == nil {
					t.Fatal("accepted")
				}
			}
			runtime.ReadMemStats(&after)
			if each := (after.TotalAlloc - before.TotalAlloc) / runs; each > 64<<10 {
				t.Errorf("%d bytes allocated each, want at most 64 KiB", each)
			}
		})
	}
}

func TestNewHS256RefusesUnsafeOptions(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		secret []byte
		opts   auth.Options
	}{
		"no secret":       {nil, auth.Options{}},
		"short secret":    {secret[:31], auth.Options{}},
		"leeway too long": {secret, auth.Options{Leeway: time.Hour}},
	} {
		if _, err := auth.NewHS256(tc.secret, tc.opts); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSign(t *testing.T) {
	t.Parallel()
	v := verifier(t, auth.Options{UserClaim: "uid", Issuer: "shop", Audience: "chat"})
	good, err := v.Sign("bob", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if who, err := v.Verify(t.Context(), good); err != nil || who.User != "bob" {
		t.Errorf("Verify of an own token = %q, %v", who.User, err)
	}
	if _, err := v.Sign("bob\n", time.Hour); err == nil {
		t.Error("signed for a user id with a control character")
	}
	if _, err := auth.Sign(secret[:31], "bob", time.Hour); err == nil {
		t.Error("signed with a short secret")
	}
}

// A caller that overwrites its copy of the secret does not change the verifier's.
func TestSecretIsCopied(t *testing.T) {
	t.Parallel()
	mine := append([]byte(nil), secret...)
	v, err := auth.NewHS256(mine, auth.Options{})
	if err != nil {
		t.Fatal(err)
	}
	clear(mine)
	good, err := auth.Sign(secret, "alice", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Errorf("after the caller cleared its secret: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	v, err := auth.NewHS256(secret, auth.Options{AllowNoExpiry: true})
	if err != nil {
		f.Fatal(err)
	}
	good := raw(f, hs256, `{"iat":1,"sub":"alice"}`, secret) // the same in every process that fuzzes
	for _, seed := range []string{good, "", "..", good[:len(good)-1], "e30.e30.", "a.b.c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		who, err := v.Verify(context.Background(), token)
		if err == nil && !strings.HasPrefix(token, good[:strings.LastIndexByte(good, '.')]) {
			t.Errorf("forged a token for %q: %q", who.User, token)
		}
	})
}

// FuzzClaims has whoever has the key sign anything: what is taken for a token names a user and an end.
func FuzzClaims(f *testing.F) {
	v, err := auth.NewHS256(secret, auth.Options{Issuer: "shop"})
	if err != nil {
		f.Fatal(err)
	}
	for _, claims := range []string{
		`{"sub":"alice","iss":"shop","exp":99999999999}`, `{"sub":"a","exp":1e400}`, `{"sub":"a","exp":"9"}`, `{"sub":1}`, `[]`, `{`,
		`{"sub":"a\u0000","iss":"shop","exp":99999999999}`, `{"sub":"a","sub":"b","iss":["shop"],"exp":99999999999,"nbf":null}`,
	} {
		f.Add(hs256, claims)
	}
	f.Add(`{"alg":"none","crit":["exp"]}`, `{"sub":"a"}`)
	f.Fuzz(func(t *testing.T, header, claims string) {
		who, err := v.Verify(context.Background(), raw(t, header, claims, secret))
		if err == nil && (identity.ValidUserID(who.User) != nil || who.Expires.Before(time.Now())) {
			t.Errorf("header %q, claims %q are %+v", header, claims, who)
		}
		if _, refused := errors.AsType[*event.Error](err); err != nil && !refused {
			t.Errorf("header %q, claims %q: %v", header, claims, err)
		}
	})
}
