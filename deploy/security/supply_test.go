package security_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestThreat43NoForks: the modules build on what others have released, under its own name. Our own contract is the one
// exception.
func TestThreat43NoForks(t *testing.T) {
	t.Parallel()
	for _, module := range []string{"proto", "gateway", "chatsvc", "deploy", "deploy/tools"} {
		cmd := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json")
		cmd.Dir = filepath.Join(root, module)
		text, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", module, err)
		}
		var file struct {
			Replace []struct {
				Old, New struct{ Path, Version string }
			}
		}
		if err := json.Unmarshal(text, &file); err != nil {
			t.Fatalf("%s: %v", module, err)
		}
		for _, r := range file.Replace {
			own := strings.TrimPrefix(r.Old.Path, "github.com/fliliy/chat/")
			if own == r.Old.Path || filepath.Clean(filepath.Join(module, r.New.Path)) != own || r.New.Version != "" {
				t.Errorf("%s: %s is replaced by %s %s", module, r.Old.Path, r.New.Path, r.New.Version)
			}
		}
	}
}

// TestThreat43LockedPackages: every npm package comes from the registry (whichever is configured), by a version and a
// checksum of its content.
func TestThreat43LockedPackages(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"gateway/web", "deploy/e2e/interop"} {
		text, err := os.ReadFile(filepath.Join(root, folder, "package-lock.json"))
		if err != nil {
			t.Fatal(err)
		}
		var lock struct {
			Packages map[string]struct {
				Version, Resolved, Integrity string
				Link                         bool
			}
		}
		if err := json.Unmarshal(text, &lock); err != nil || len(lock.Packages) < 2 {
			t.Fatalf("%s: %d packages, error %v", folder, len(lock.Packages), err)
		}
		for name, p := range lock.Packages {
			if name == "" {
				continue
			}
			elsewhere := p.Resolved != "" && !strings.HasPrefix(p.Resolved, "https://registry.npmjs.org/")
			if p.Link || p.Version == "" || elsewhere || !strings.HasPrefix(p.Integrity, "sha512-") {
				t.Errorf("%s: %s is %+v", folder, name, p)
			}
		}
	}
}

// TestThreat43Audit runs the audit with programs that answer as the real ones do. Findings fail; what cannot be asked is
// told, and fails where that is wanted.
func TestThreat43Audit(t *testing.T) {
	t.Parallel()
	const (
		clean     = `echo '{"auditReportVersion":2,"vulnerabilities":{}}'`
		away      = `echo '{"message":"405 Method Not Allowed","error":{}}'`
		noFinding = "echo 'No vulnerabilities found.'"
		offline   = "echo 'govulncheck: fetching vulnerabilities: Get \"https://vuln.go.dev/index/modules.json.gz\": no such host' >&2; exit 1"
	)
	for name, tc := range map[string]struct {
		goCode, govulncheck, npm, strict string
		fails                            bool
		says                             string
	}{
		"nothing":                {"", noFinding, clean, "", false, "nothing was found\n"},
		"a changed download":     {"echo 'dir has been modified'; exit 1", noFinding, clean, "", true, "something was found"},
		"a vulnerability":        {"", "echo GO-2026-1; exit 3", clean, "", true, "GO-2026-1"},
		"code that cannot build": {"", "echo 'undefined: x' >&2; exit 1", clean, "", true, "undefined: x"},
		"an npm advisory":        {"", noFinding, clean + "; exit 1", "", true, "something was found"},
		"no network":             {"", offline, away, "", false, "NOT CHECKED: the Go vulnerability database"},
		"no registry":            {"", noFinding, away, "", false, "NOT CHECKED: npm's registry"},
		"strict, no network":     {"", offline, clean, "1", true, "not all could be asked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bin := t.TempDir()
			for program, script := range map[string]string{"go": tc.goCode, "govulncheck": tc.govulncheck, "npm": tc.npm} {
				//nolint:gosec // a program has to be executable
				if err := os.WriteFile(filepath.Join(bin, program), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), "deploy/security/audit.sh")
			cmd.Dir, cmd.Env = root, []string{"PATH=" + bin + ":/usr/bin:/bin", "AUDIT_STRICT=" + tc.strict}
			output, err := cmd.CombinedOutput()
			if (err != nil) != tc.fails || !strings.Contains(string(output), tc.says) {
				t.Errorf("error %v, want one %v; output:\n%s", err, tc.fails, output)
			}
		})
	}
}
