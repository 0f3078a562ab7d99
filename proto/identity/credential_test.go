package identity_test

import (
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/fliliy/chat/proto/identity"
)

var secret = strings.Repeat("s", identity.MinSecret)

func TestParseCredential(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"gateway:" + secret:              "",
		"gateway-2:" + secret + "#more":  "",
		secret:                           "is not name:secret",
		":" + secret:                     "the name",
		"Gateway:" + secret:              "the name",
		"a b:" + secret:                  "the name",
		"gateway:" + secret[1:]:          "too short",
		"gateway:" + secret + ",":        "visible ASCII",
		"gateway:" + secret + ":" + "up": "visible ASCII",
		"gateway:" + secret + "\n":       "visible ASCII",
	} {
		c, err := identity.ParseCredential(text)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q in it", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), secret[1:]) {
			t.Errorf("%q: the error repeats the secret: %v", text, err)
		}
		if err == nil && c.Name+":"+c.Secret != text {
			t.Errorf("%q is read as %+v", text, c)
		}
	}
}

func TestCaller(t *testing.T) {
	t.Parallel()
	sent, err := identity.Credential{Name: "gateway", Secret: secret}.GetRequestMetadata(t.Context())
	if err != nil || len(sent) != 1 {
		t.Fatalf("metadata is %v, error %v", sent, err)
	}
	for key, value := range sent {
		one := metadata.NewIncomingContext(t.Context(), metadata.Pairs(key, value))
		if c, ok := identity.Caller(one); !ok || c.Name != "gateway" || c.Secret != secret {
			t.Errorf("the credential arrives as %+v, %v", c, ok)
		}
		for name, md := range map[string]metadata.MD{
			"none":          {},
			"two":           metadata.Pairs(key, value, key, value),
			"not bearer":    metadata.Pairs(key, "Basic "+value),
			"no name":       metadata.Pairs(key, "Bearer "+secret),
			"another place": metadata.Pairs("caller", value),
		} {
			if c, ok := identity.Caller(metadata.NewIncomingContext(t.Context(), md)); ok {
				t.Errorf("%s: %+v is taken for a credential", name, c)
			}
		}
	}
}
