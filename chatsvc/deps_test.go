package chatsvc_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	project = "github.com/fliliy/chat/"
	module  = project + "chatsvc/"
)

// listed is what `go list` says of a package.
type listed struct {
	ImportPath string
	Name       string
	Doc        string
	Standard   bool
	Imports    []string
}

func list(t *testing.T, args ...string) []listed {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go",
		append([]string{"list", "-json=ImportPath,Name,Doc,Standard,Imports"}, args...)...)
	out, err := command.Output()
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

// rules say which packages of the project a package of chatsvc may import, and why it is kept from the others.
var rules = map[string]struct {
	may []string
	why string
}{
	"internal/chat":            {nil, "the rules know no technology"},
	"internal/metrics":         {nil, "metrics are counted by others"},
	"internal/wire":            {[]string{"internal/chat", "proto/gen/go/chat/v1"}, "it translates and holds nothing"},
	"internal/rpc":             {[]string{"internal/chat", "internal/metrics", "internal/wire", "proto/gen/go/chat/v1", "proto/identity"}, "the counter asks use cases; stores, scribe and NATS are behind them"},
	"internal/presence":        {[]string{"internal/chat", "proto/presencekey"}, "a reader of Redis knows who is online and no room"},
	"internal/publish":         {[]string{"internal/chat", "internal/metrics", "internal/wire", "proto/gen/go/chat/v1", "proto/subject"}, "the post office delivers what it is given and asks nobody"},
	"internal/commit":          {[]string{"internal/chat", "internal/metrics"}, "the scribe reaches store and post office through ports"},
	"internal/store/postgres":  {[]string{"internal/chat"}, "a store knows the rules' nouns and its driver"},
	"internal/store/sqlite":    {[]string{"internal/chat"}, "a store knows the rules' nouns and its driver"},
	"internal/fake":            {[]string{"internal/chat"}, "doubles stand in for the ports of chat"},
	"internal/store/storetest": {[]string{"internal/chat", "internal/fake"}, "one suite must not know which store it tests"},
	"pgtest":                   {nil, "a server for tests knows nothing of what is tested"},
	"config":                   {[]string{"proto/identity"}, "a configuration is read by others"},
	"cmd/chatsvc":              {[]string{"chatsvc", "config"}, "a command is thin: only the facade plugs parts together"},
	"chatsvc": {[]string{
		"config", "internal/chat", "internal/commit", "internal/metrics", "internal/presence", "internal/publish",
		"internal/rpc",
		"internal/store/postgres", "internal/store/sqlite", "proto/identity",
	}, "the facade is the only one that knows all parts"},
}

// TestImportRules holds the walls of the house (README, "What stands where"): who may import whom.
func TestImportRules(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "./...") {
		name := short(p.ImportPath)
		rule, known := rules[name]
		if !known {
			t.Errorf("package %s has no import rule: add it with its why", name)
			continue
		}
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, project) && !slices.Contains(rule.may, short(imported)) {
				t.Errorf("%s imports %s, but %s", name, short(imported), rule.why)
			}
		}
	}
}

// short names a package of the project as the rules do.
func short(path string) string {
	if inside, ok := strings.CutPrefix(path, module); ok {
		return inside
	}
	return strings.TrimPrefix(path, project)
}

// drivers are libraries that belong to one package of ours, and why.
var drivers = map[string]struct{ owner, why string }{
	"github.com/jackc/pgx/":                {"internal/store/postgres", "SQL for PostgreSQL is written in one place"},
	"modernc.org/sqlite":                   {"internal/store/sqlite", "SQL for SQLite is written in one place"},
	"google.golang.org/grpc/status":        {"internal/rpc", "errors become gRPC codes in one place"},
	"github.com/nats-io/nats-server/":      {"", "the embedded broker belongs to deploy and to tests"},
	"github.com/redis/go-redis/":           {"internal/presence", "Redis is read in one place, and written by gateways alone"},
	"github.com/caarlos0/env/":             {"config", "nothing is configured behind the configuration's back"},
	"google.golang.org/protobuf/encoding/": {"", "the client's JSON is made by package chat"},
}

// TestDrivers keeps each library where it belongs. Test servers (pgtest) are their own affair.
func TestDrivers(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "./...") {
		for _, imported := range p.Imports {
			for prefix, rule := range drivers {
				name := short(p.ImportPath)
				if strings.HasPrefix(imported, prefix) && name != rule.owner && name != "pgtest" {
					t.Errorf("%s imports %s, but %s", name, imported, rule.why)
				}
			}
		}
	}
}

// TestPureRules keeps package chat free of everything but the standard library, and of the parts of it that are
// technology.
func TestPureRules(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "-deps", "./internal/chat") {
		if !p.Standard && p.ImportPath != module+"internal/chat" {
			t.Errorf("internal/chat depends on %s: standard library only", p.ImportPath)
		}
		if p.ImportPath == "net" || p.ImportPath == "database/sql" {
			t.Errorf("internal/chat depends on %s: the rules know no technology", p.ImportPath)
		}
	}
}

// TestBinary keeps test and embedded servers, and the other service, out of what is shipped.
func TestBinary(t *testing.T) {
	t.Parallel()
	banned := map[string]string{
		"github.com/nats-io/nats-server/":  "the embedded broker belongs to deploy",
		project + "gateway/":               "gateway and chatsvc meet only in proto",
		"github.com/coder/websocket":       "chatsvc knows no socket",
		"pgregory.net/rapid":               "a test library",
		"github.com/google/go-cmp/":        "a test library",
		"testing":                          "test code must not reach the binary",
		module + "pgtest":                  "test servers must not reach the binary",
		module + "internal/fake":           "doubles must not reach the binary",
		module + "internal/store/storetes": "conformance suites must not reach the binary",
	}
	for _, p := range list(t, "-deps", "./cmd/chatsvc") {
		for prefix, why := range banned {
			if p.ImportPath == prefix || prefix != "testing" && strings.HasPrefix(p.ImportPath, prefix) {
				t.Errorf("the binary depends on %s: %s", p.ImportPath, why)
			}
		}
	}
}

// TestPackageComments wants every package to say what it is.
func TestPackageComments(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "./...") {
		want := "Package " + p.Name + " "
		if p.Name == "main" {
			want = "Command "
		}
		if !strings.HasPrefix(p.Doc, want) {
			t.Errorf("package %s has no comment that begins with %q", short(p.ImportPath), want)
		}
	}
}
