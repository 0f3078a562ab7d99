package compose_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestServices(t *testing.T) {
	t.Parallel()
	file := readCompose(t)
	want := []string{"chatsvc", "gateway", "lb", "nats", "postgres", "redis"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(file.Services))); diff != "" {
		t.Fatalf("services (-want +got):\n%s", diff)
	}
	for name, s := range file.Services {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkImage(t, s)
			checkRestrictions(t, s)
			checkHealth(t, s)
			checkReferences(t, file, s)
		})
	}
}

var (
	pinnedTag = regexp.MustCompile(`^[a-z0-9./-]+:[0-9]+(\.[0-9]+)*(-[a-z0-9]+)?$`)
	ownImage  = regexp.MustCompile(`^fliliy/chat-[a-z]+:local$`)
)

func checkImage(t *testing.T, s service) {
	t.Helper()
	if s.Build == nil {
		if !pinnedTag.MatchString(s.Image) {
			t.Errorf("image %q is not pinned by a version tag", s.Image)
		}
		return
	}
	if !ownImage.MatchString(s.Image) {
		t.Errorf("image %q is built here and should be called fliliy/chat-<service>:local", s.Image)
	}
	if s.Build.Context != "." {
		t.Errorf("build context %q, want the repository's root", s.Build.Context)
	}
	readFile(t, s.Build.Dockerfile)
}

func checkRestrictions(t *testing.T, s service) {
	t.Helper()
	uid, _, _ := strings.Cut(s.User, ":")
	if n, err := strconv.Atoi(uid); err != nil || n <= 0 {
		t.Errorf("user %q: want a numeric user that is not root", s.User)
	}
	if !s.ReadOnly {
		t.Error("the root file system is writable")
	}
	if !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
		t.Errorf("cap_drop %q, security_opt %q: want all capabilities dropped and none to be had", s.CapDrop, s.SecurityOpt)
	}
	if s.Restart != "unless-stopped" {
		t.Errorf("restart %q, want unless-stopped", s.Restart)
	}
}

func checkHealth(t *testing.T, s service) {
	t.Helper()
	h := s.HealthCheck
	if h == nil {
		t.Fatal("no health check")
	}
	if len(h.Test) < 2 || (h.Test[0] != "CMD" && h.Test[0] != "CMD-SHELL") || h.Retries < 1 {
		t.Errorf("health check %q with %d retries", h.Test, h.Retries)
	}
	for what, text := range map[string]string{"interval": h.Interval, "timeout": h.Timeout} {
		if d, err := time.ParseDuration(text); err != nil || d <= 0 || d > time.Minute {
			t.Errorf("health check: %s %q", what, text)
		}
	}
	if s.Build != nil && (h.Test[0] != "CMD" || filepath.Base(h.Test[1]) == "sh") {
		t.Errorf("health check %q: there is no shell in a distroless image", h.Test)
	}
}

// checkReferences holds that what a service names exists: networks, services it waits for, volumes and files.
func checkReferences(t *testing.T, file composeFile, s service) {
	t.Helper()
	for _, name := range s.Networks {
		if _, ok := file.Networks[name]; !ok {
			t.Errorf("network %q is not declared", name)
		}
	}
	for name, dependency := range s.DependsOn {
		if _, ok := file.Services[name]; !ok {
			t.Errorf("depends on %q, which is no service", name)
		}
		if c := dependency.Condition; c != "service_healthy" && c != "service_started" {
			t.Errorf("depends on %s with condition %q", name, c)
		}
	}
	for _, mount := range s.Volumes {
		source, target, _ := strings.Cut(mount, ":")
		if !strings.HasPrefix(source, "./") {
			if _, ok := file.Volumes[source]; !ok {
				t.Errorf("volume %q is not declared", source)
			}
			continue
		}
		readFile(t, source)
		if !strings.HasSuffix(target, ":ro") {
			t.Errorf("file %s is mounted writable", source)
		}
	}
}

// A service scales only if nothing of it is there once: no name, no port of the host, no volume.
func TestBothServicesScale(t *testing.T) {
	t.Parallel()
	if text := string(readFile(t, "docker-compose.yml")); strings.Contains(text, "container_name") {
		t.Error("a container_name makes scaling impossible")
	}
	file := readCompose(t)
	for _, name := range []string{"gateway", "chatsvc"} {
		if s := file.Services[name]; len(s.Ports) > 0 || len(s.Volumes) > 0 {
			t.Errorf("%s has ports %q and volumes %q, want none", name, s.Ports, s.Volumes)
		}
	}
}

// Only the load balancer can be reached from outside, and only what needs the public has a network with a way out.
func TestOnlyTheLoadBalancerIsPublic(t *testing.T) {
	t.Parallel()
	file := readCompose(t)
	if !file.Networks["back"].Internal {
		t.Error("network back is not internal")
	}
	want := map[string][]string{
		"lb": {"front"}, "gateway": {"front", "back"},
		"chatsvc": {"back"}, "nats": {"back"}, "redis": {"back"}, "postgres": {"back"},
	}
	for name, s := range file.Services {
		if !slices.Equal(s.Networks, want[name]) {
			t.Errorf("%s is on networks %q, want %q", name, s.Networks, want[name])
		}
		if (len(s.Ports) > 0) != (name == "lb") {
			t.Errorf("%s publishes ports %q", name, s.Ports)
		}
	}
}

func TestOrderOfStart(t *testing.T) {
	t.Parallel()
	want := map[string]map[string]dependency{
		"lb": {"gateway": {"service_healthy"}},
		"gateway": {
			"chatsvc": {"service_healthy"}, "nats": {"service_healthy"},
			"redis": {"service_started"}, // presence must not decide whether people can chat
		},
		"chatsvc": {"postgres": {"service_healthy"}, "nats": {"service_healthy"}},
		"nats":    nil, "redis": nil, "postgres": nil,
	}
	got := map[string]map[string]dependency{}
	for name, s := range readCompose(t).Services {
		got[name] = s.DependsOn
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("depends_on (-want +got):\n%s", diff)
	}
}

// Messages outlive the container; presence need not.
func TestMessagesAreOnAVolume(t *testing.T) {
	t.Parallel()
	if got := readCompose(t).Services["postgres"].Volumes; !slices.Equal(got, []string{"postgres-data:/var/lib/postgresql/data"}) {
		t.Errorf("volumes of postgres: %q", got)
	}
}

// docker compose itself has the last word, where it is installed.
func TestDockerComposeConfig(t *testing.T) {
	t.Parallel()
	if err := exec.Command("docker", "compose", "version").Run(); err != nil {
		t.Logf("docker compose is not installed (%v): the other tests stand alone", err)
		return
	}
	env := filepath.Join(t.TempDir(), ".env")
	makeEnv(t, env)
	cmd := exec.Command("docker", "compose", "--env-file", env, "config", "--quiet")
	cmd.Dir = root
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("docker compose config: %v\n%s", err, output)
	}
}

// makeEnv runs make-env.sh.
func makeEnv(t *testing.T, target string) []byte {
	t.Helper()
	if output, err := exec.Command("sh", "make-env.sh", target).CombinedOutput(); err != nil {
		t.Fatalf("make-env.sh: %v\n%s", err, output)
	}
	content, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
