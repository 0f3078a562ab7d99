package gateway_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/fliliy/chat/gateway/"

// listed is what `go list` says of a package.
type listed struct {
	ImportPath string
	Doc        string
	Standard   bool
	Imports    []string
}

func list(t *testing.T, args ...string) []listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Doc,Standard,Imports"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	var all []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("go list %v: %v", args, err)
		}
		all = append(all, p)
	}
}

// level0 may be imported by every package of the gateway.
var level0 = []string{"stomp", "destination", "event", "action", "principal", "transport", "metrics"}

// rules say which of our packages a package may import beside level 0, and why it is kept from the others.
var rules = map[string]struct {
	may []string
	why string
}{
	"stomp":            {nil, "the codec is pure"},
	"destination":      {nil, "a destination is a string with a meaning, no more"},
	"action":           {nil, "a word of the house depends on nothing"},
	"principal":        {nil, "a word of the house depends on nothing"},
	"event":            {nil, "an event knows its frame and nothing else"},
	"transport":        {nil, "a transport moves bytes and knows no STOMP"},
	"transport/ws":     {[]string{"origin"}, "a transport moves bytes and knows no session"},
	"transport/sockjs": {nil, "a transport moves bytes and knows no session; WebSockets and other gateways are behind ports"},
	"peer":             {nil, "it carries requests and knows no session"},
	"metrics":          {nil, "metrics are counted by others"},
	"origin":           {nil, "a list of origins knows no token and no user"},
	"certificate":      {nil, "a certificate is files, and knows no listener"},
	"auth":             {[]string{"proto/identity"}, "a token says who, not what she may do"},
	"wire":             {[]string{"proto/gen/go/chat/v1"}, "it translates and holds nothing"},
	"memory":           {nil, "it knows how many there are, and not what"},
	"limit":            {nil, "a limit knows neither frames nor HTTP"},
	"ticket":           {nil, "it keeps a token for a moment; tokens are auth's to understand"},
	"revocation":       {[]string{"proto/gen/go/chat/v1", "proto/subject"}, "it knows who is refused; keeping and ending are behind ports"},
	"presence":         {[]string{"proto/presencekey"}, "presence is soft state: it knows Redis and no session"},
	"relay":            {[]string{"wire", "proto/gen/go/chat/v1", "proto/identity"}, "the back door knows gRPC and no session"},
	"fanin":            {[]string{"wire", "proto/gen/go/chat/v1", "proto/subject"}, "the letterbox knows NATS; the hub is behind a port"},
	"herald":           {nil, "relay, presence and sessions are behind ports"},
	"hub":              {nil, "relay and fan-in are behind ports"},
	"session":          {[]string{"proto/identity"}, "everything around a session is behind a port"},
	"rest":             {[]string{"wire", "proto", "proto/gen/go/chat/v1", "proto/identity"}, "REST is a facade over ChatService and meets no session"},
	"conformance":      {[]string{"transport/ws"}, "the broker is behind the session's ports, its echo behind a socket"},
	"probe":            {nil, "a client meets a gateway only over the network"},
	"edge":             {nil, "the door trades in http.Handler"},
}

// TestImportRules holds the walls of the house (README, "What stands where"): who may import whom.
func TestImportRules(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "./internal/...") {
		name := strings.TrimPrefix(p.ImportPath, module+"internal/")
		if name == "fake" || strings.HasSuffix(name, "test") {
			continue // doubles and conformance suites serve tests
		}
		rule, known := rules[name]
		if !known {
			t.Errorf("package %s has no import rule: add it with its why", name)
			continue
		}
		for _, imported := range p.Imports {
			ours, internal := strings.CutPrefix(imported, "github.com/fliliy/chat/")
			if !internal {
				continue
			}
			ours = strings.TrimPrefix(ours, "gateway/internal/")
			if !slices.Contains(level0, ours) && !slices.Contains(rule.may, ours) {
				t.Errorf("%s imports %s, but %s", name, ours, rule.why)
			}
		}
	}
}

// TestPureCodec keeps STOMP free of everything but the standard library, so that it can be read and fuzzed alone.
func TestPureCodec(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "-deps", "./internal/stomp", "./internal/destination") {
		if !p.Standard && !strings.HasPrefix(p.ImportPath, module) {
			t.Errorf("stomp or destination depends on %s: standard library only", p.ImportPath)
		}
	}
}

// TestBinary keeps test and embedded servers, and the other service, out of what is shipped.
func TestBinary(t *testing.T) {
	t.Parallel()
	banned := map[string]string{
		"github.com/nats-io/nats-server/":   "the embedded broker belongs to deploy",
		"github.com/alicebob/miniredis/":    "the embedded Redis belongs to deploy",
		"github.com/fliliy/chat/chatsvc":    "gateway and chatsvc meet only in proto",
		"github.com/go-stomp/":              "the other codec is for comparison in tests",
		"github.com/jackc/pgx/":             "the gateway stores nothing",
		"pgregory.net/rapid":                "a test library",
		"testing":                           "test code must not reach the binary",
		module + "internal/fake":            "doubles must not reach the binary",
		module + "redistest":                "test servers must not reach the binary",
		module + "internal/transport/trans": "conformance suites must not reach the binary",
	}
	for _, p := range list(t, "-deps", "./cmd/gateway") {
		for prefix, why := range banned {
			if p.ImportPath == prefix || strings.HasSuffix(prefix, "/") && strings.HasPrefix(p.ImportPath, prefix) ||
				strings.HasPrefix(prefix, "github.com/fliliy") && strings.HasPrefix(p.ImportPath, prefix) {
				t.Errorf("the binary depends on %s: %s", p.ImportPath, why)
			}
		}
	}
}

func TestEveryPackageHasAComment(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "./...") {
		if p.Doc == "" {
			t.Errorf("package %s has no comment: what it is, what it is not, who calls it", p.ImportPath)
		}
	}
}
