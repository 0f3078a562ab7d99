package docker_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the repository's root, the build context.
const root = "../.."

// step is one instruction of a Dockerfile.
type step struct{ verb, rest string }

// readSteps splits a Dockerfile into its stages; comments and empty lines go.
func readSteps(t *testing.T, name string) [][]step {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var stages [][]step
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		verb, rest, _ := strings.Cut(line, " ")
		if verb == "FROM" {
			stages = append(stages, nil)
		}
		if len(stages) == 0 {
			t.Fatalf("%s: %s before FROM", name, verb)
		}
		last := len(stages) - 1
		stages[last] = append(stages[last], step{verb, strings.TrimSpace(rest)})
	}
	return stages
}

// stage is a build stage under way: a folder that plays the container's root.
type stage struct {
	folder  string
	workdir string
	env     []string
	ignore  ignore
}

// do carries one instruction out.
func (s *stage) do(t *testing.T, step step) {
	t.Helper()
	switch step.verb {
	case "FROM":
	case "ENV":
		s.env = append(s.env, strings.Fields(step.rest)...)
	case "WORKDIR":
		s.workdir = step.rest
		if err := os.MkdirAll(filepath.Join(s.folder, s.workdir), 0o755); err != nil {
			t.Fatal(err)
		}
	case "COPY":
		paths := strings.Fields(step.rest)
		for _, source := range paths[:len(paths)-1] {
			s.copy(t, source, paths[len(paths)-1])
		}
	case "RUN":
		s.run(t, step.rest)
	default:
		t.Fatalf("%s %s: this test does not know the instruction", step.verb, step.rest)
	}
}

// copy follows COPY's rules: the content of a folder goes into the target, a file goes into a target that ends in /.
func (s *stage) copy(t *testing.T, source, target string) {
	t.Helper()
	if !path.IsAbs(target) {
		target = path.Join(s.workdir, target) + "/"
	}
	if !strings.HasSuffix(target, "/") {
		t.Fatalf("COPY %s %s: write the target as a folder, with a / at its end", source, target)
	}
	into, count := filepath.Join(s.folder, target), 0
	err := filepath.WalkDir(filepath.Join(root, source), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		inContext, err := filepath.Rel(root, name)
		if err != nil || s.ignore.matches(filepath.ToSlash(inContext)) {
			return err
		}
		inSource, err := filepath.Rel(filepath.Join(root, source), name)
		if err != nil {
			return err
		}
		if inSource == "." {
			inSource = filepath.Base(name)
		}
		count++
		return copyFile(filepath.Join(into, inSource), name)
	})
	if err != nil {
		t.Fatalf("COPY %s %s: %v", source, target, err)
	}
	if count == 0 {
		t.Fatalf("COPY %s %s: nothing there; is it in .dockerignore?", source, target)
	}
}

func copyFile(target, source string) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	content, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	return os.WriteFile(target, content, 0o644)
}

// run runs a command of the build stage. Its only absolute paths are below /out.
func (s *stage) run(t *testing.T, command string) {
	t.Helper()
	command = strings.ReplaceAll(command, "/out/", s.folder+"/out/")
	cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
	cmd.Dir = filepath.Join(s.folder, s.workdir)
	cmd.Env = slices.Concat(os.Environ(), s.env)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("RUN %s: %v\n%s", command, err, output)
	}
}

// ignore is .dockerignore in the form ours has: nothing but some folders of the root, and no name like some patterns.
type ignore struct{ folders, patterns []string }

func readIgnore(t *testing.T) ignore {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	var result ignore
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#") || line == "*":
		case strings.HasPrefix(line, "!"):
			result.folders = append(result.folders, line[1:])
		case strings.HasPrefix(line, "**/"):
			result.patterns = append(result.patterns, line[3:])
		default:
			t.Fatalf(".dockerignore: this test does not know the form of %q", line)
		}
	}
	if !strings.Contains(string(content), "\n*\n") {
		t.Fatal(".dockerignore lets everything in that it does not name; want * first")
	}
	return result
}

func (i ignore) matches(name string) bool {
	parts := strings.Split(name, "/")
	if !slices.Contains(i.folders, parts[0]) {
		return true
	}
	for _, part := range parts {
		for _, pattern := range i.patterns {
			if ok, err := path.Match(pattern, part); ok || err != nil {
				return true
			}
		}
	}
	return false
}

// words parses the JSON form of ENTRYPOINT and CMD.
func words(text string) ([]string, error) {
	var list []string
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("%s is not in exec form: %w", text, err)
	}
	return list, nil
}
