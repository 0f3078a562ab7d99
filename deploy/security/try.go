package security

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// testTimeout bounds one test with a lock off, which may well hang.
const testTimeout = "3m"

// ErrSurvived is the error of a lock that nobody missed.
var ErrSurvived = errors.New("its test passes without the check")

// Try takes the lock off in a copy of its file, and runs its test with and without the check: nil when it passes with
// and fails without. It needs the go command. A copy that does not compile is an error: it proves nothing.
func (l *Lock) Try(ctx context.Context, root string) error {
	folder, err := os.MkdirTemp("", "locks")
	if err != nil {
		return fmt.Errorf("make a folder for the copy: %w", err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	overlay, err := l.overlay(root, folder)
	if err != nil {
		return err
	}
	if out, err := l.test(ctx, root, folder, ""); err != nil {
		return fmt.Errorf("lock %q: %s fails even with the check: %w\n%s", l.Name, l.Test, err, out)
	}
	out, err := l.test(ctx, root, folder, overlay)
	failed := (*exec.ExitError)(nil)
	switch {
	case err == nil:
		return fmt.Errorf("lock %q: %w: %s in %s", l.Name, ErrSurvived, l.Test, l.Package)
	case ctx.Err() != nil:
		return ctx.Err()
	case !errors.As(err, &failed):
		return fmt.Errorf("lock %q: %w\n%s", l.Name, err, out)
	}
	return nil
}

// overlay writes the file without the check and the go command's description of it.
func (l *Lock) overlay(root, folder string) (string, error) {
	source, err := l.TakenOff(root)
	if err != nil {
		return "", err
	}
	original, err := filepath.Abs(filepath.Join(root, l.File))
	if err != nil {
		return "", err
	}
	changed, list := filepath.Join(folder, "changed.go"), filepath.Join(folder, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		return "", err
	}
	return list, errors.Join(os.WriteFile(changed, source, 0o600), os.WriteFile(list, replace, 0o600))
}

// errNotBuilt keeps a compiler's exit code apart from a test's.
var errNotBuilt = errors.New("does not compile")

// test builds the package's tests and runs the one. Programs that the test builds get the overlay, too.
func (l *Lock) test(ctx context.Context, root, folder, overlay string) (string, error) {
	environment := os.Environ()
	if overlay != "" {
		environment = append(environment, "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -overlay="+overlay))
	}
	binary := filepath.Join(folder, "package.test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, "./"+l.Package) //nolint:gosec // our own
	build.Dir, build.Env = root, environment
	if out, err := build.CombinedOutput(); err != nil {
		return string(out), fmt.Errorf("%w: %s", errNotBuilt, err) //nolint:errorlint // its exit code is no verdict
	}
	run := exec.CommandContext(ctx, binary, "-test.run", pattern(l.Test), "-test.timeout", testTimeout) //nolint:gosec // our own
	run.Dir, run.Env = filepath.Join(root, l.Package), environment
	out, err := run.CombinedOutput()
	if err == nil && strings.Contains(string(out), "no tests to run") {
		err = errors.New("there is no such test")
	}
	return string(out), err
}

// pattern is the -run argument of exactly this test.
func pattern(test string) string {
	name, one, found := strings.Cut(test, "/")
	if !found {
		return "^" + name + "$"
	}
	return "^" + name + "$/^" + regexp.QuoteMeta(strings.ReplaceAll(one, " ", "_")) + "$"
}
