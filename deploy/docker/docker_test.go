package docker_test

import (
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

var services = []string{"gateway", "chatsvc"}

// The build stage makes a binary of nothing but what the Dockerfile copies; it is static, since the final image has no
// C library, and it runs.
func TestBuildStage(t *testing.T) {
	t.Parallel()
	for _, name := range services {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			build := &stage{folder: t.TempDir(), ignore: readIgnore(t)}
			for _, step := range readSteps(t, name+".Dockerfile")[0] {
				build.do(t, step)
			}
			binary := filepath.Join(build.folder, "out", name)
			checkStatic(t, binary)
			checkRuns(t, binary)
		})
	}
}

func checkStatic(t *testing.T, binary string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return // the image's binary is ELF, this machine's is not
	}
	file, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	libraries, err := file.ImportedLibraries()
	if err != nil || len(libraries) > 0 {
		t.Errorf("the binary needs %q (%v), want a static one", libraries, err)
	}
}

// checkRuns holds that the commands of the image exist: each answers, and an unknown one is refused.
func checkRuns(t *testing.T, binary string) {
	t.Helper()
	if output, err := exec.Command(binary, "version").CombinedOutput(); err != nil {
		t.Errorf("%s version: %v\n%s", filepath.Base(binary), err, output)
	}
	output, err := exec.Command(binary, "no-such-command").CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Errorf("no-such-command: %v, want a refusal", err)
	}
	for _, command := range []string{"serve", "check-health"} { // CMD, and the health check of docker-compose.yml
		if !strings.Contains(string(output), command) {
			t.Errorf("the usage does not name %s:\n%s", command, output)
		}
	}
}

var (
	goImage = regexp.MustCompile(`^golang:(\d+\.\d+)\.\d+-bookworm AS build$`)
	goWork  = regexp.MustCompile(`(?m)^go (\d+\.\d+)\.\d+$`)
)

// Both are built with a full release of the Go that the workspace names, and end in the same small image without root.
func TestStages(t *testing.T) {
	t.Parallel()
	for _, name := range services {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stages := readSteps(t, name+".Dockerfile")
			if len(stages) != 2 {
				t.Fatalf("%d stages, want build and image", len(stages))
			}
			from, wanted := goImage.FindStringSubmatch(stages[0][0].rest), goWork.FindStringSubmatch(readRoot(t, "go.work"))
			if from == nil || wanted == nil || from[1] != wanted[1] {
				t.Errorf("build stage from %q, want a full release of golang on bookworm, as go.work: %q", from, wanted)
			}
			want := []step{
				{"FROM", "gcr.io/distroless/static-debian12:nonroot"},
				{"COPY", "--from=build /out/" + name + " /usr/local/bin/" + name},
				{"USER", "65532:65532"},
			}
			for i, step := range want {
				if stages[1][i] != step {
					t.Errorf("step %d of the image is %v, want %v", i+1, stages[1][i], step)
				}
			}
			for _, step := range stages[1][len(want):] {
				switch step.verb {
				case "ENTRYPOINT", "CMD":
					checkExec(t, name, step)
				case "EXPOSE":
				default:
					t.Errorf("unexpected %s %s", step.verb, step.rest)
				}
			}
		})
	}
}

func readRoot(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func checkExec(t *testing.T, name string, step step) {
	t.Helper()
	want := map[string]string{"ENTRYPOINT": "/usr/local/bin/" + name, "CMD": "serve"}[step.verb]
	got, err := words(step.rest)
	if err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("%s %s (%v), want %s", step.verb, step.rest, err, want)
	}
}
