package gateway_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// testFolders are where the tests stand that PROTOCOL.md names, by package.
var testFolders = map[string][]string{
	"stomp":       {"internal/stomp"},
	"session":     {"internal/session"},
	"destination": {"internal/destination"},
	"ws":          {"internal/transport/ws", "internal/transport/transporttest"},
	"sockjs":      {"internal/transport/sockjs", "internal/transport/sockjs/sockjstest", "internal/transport/transporttest"},
	"peer":        {"internal/peer"},
	"edge":        {"internal/edge"},
	"presence":    {"internal/presence"},
	"chat":        {"../chatsvc/internal/chat"},
	"rpc":         {"../chatsvc/internal/rpc"},
	"e2e":         {"../deploy/e2e"},
	"conformance": {"../deploy/conformance"},
}

// namedTest is a test as PROTOCOL.md writes it: `package.Test` or `package.Test/case`.
var namedTest = regexp.MustCompile("`([a-z0-9]+)\\.((?:Test|Fuzz)\\w+)(?:/([^`]+))?`")

// TestProtocolNamesItsTests holds PROTOCOL.md to the sources: every rule names a test, every test and case exists.
func TestProtocolNamesItsTests(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string]string{}
	for name, folders := range testFolders {
		sources[name] = readSources(t, folders)
	}
	rules := 0
	for number, line := range strings.Split(string(page), "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasSuffix(line, "| shown by |") {
			continue
		}
		rules++
		named := namedTest.FindAllStringSubmatch(line, -1)
		if len(named) == 0 {
			t.Errorf("PROTOCOL.md:%d: the rule names no test", number+1)
		}
		for _, name := range named {
			source, known := sources[name[1]]
			switch {
			case !known:
				t.Errorf("PROTOCOL.md:%d: %s: unknown package %s", number+1, name[0], name[1])
			case !strings.Contains(source, "\nfunc "+name[2]+"("):
				t.Errorf("PROTOCOL.md:%d: %s: package %s has no such test", number+1, name[0], name[1])
			case name[3] != "" && !strings.Contains(source, `"`+name[3]+`"`):
				t.Errorf("PROTOCOL.md:%d: %s: package %s has no such case", number+1, name[0], name[1])
			}
		}
	}
	if rules < 80 {
		t.Errorf("PROTOCOL.md has %d rules: it cannot be read, or most of it is gone", rules)
	}
}

// readSources joins the Go files of a package's tests, and of the suites they run.
func readSources(t *testing.T, folders []string) string {
	t.Helper()
	var all strings.Builder
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no Go files in %s: %v", folder, err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(source)
		}
	}
	return all.String()
}
