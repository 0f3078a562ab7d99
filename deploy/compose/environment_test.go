package compose_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	chatsvcconfig "github.com/fliliy/chat/chatsvc/config"
	gatewayconfig "github.com/fliliy/chat/gateway/config"
)

var secrets = []string{
	"CHATSVC_GATEWAY_SECRET", "FLILIY_ADMIN_TOKEN", "FLILIY_JWT_SECRET", "GATEWAY_PEER_SECRET", "NATS_CHATSVC_PASSWORD", "NATS_GATEWAY_PASSWORD",
	"POSTGRES_PASSWORD", "REDIS_CHATSVC_PASSWORD", "REDIS_PASSWORD",
}

// What the compose file asks for and what .env.example offers are the same; a secret has no default anywhere.
func TestVariables(t *testing.T) {
	t.Parallel()
	example := readEnv(t, readFile(t, "deploy/compose/.env.example"))
	text := string(readFile(t, "docker-compose.yml"))
	if n := strings.Count(text, "${"); n != len(variable.FindAllString(text, -1)) {
		t.Errorf("%d uses of variables, of which some are malformed", n)
	}
	used := map[string]bool{}
	for _, use := range variable.FindAllStringSubmatch(text, -1) {
		name, operator := use[1], use[2]
		used[name] = true
		if secret := slices.Contains(secrets, name); secret && operator != ":?" || !secret && operator != ":-" {
			t.Errorf("%s: a secret must be required with :?, anything else needs a default with :-", use[0])
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(example)), slices.Sorted(maps.Keys(used))); diff != "" {
		t.Errorf("variables of .env.example and of docker-compose.yml differ (-example +compose):\n%s", diff)
	}
	for _, name := range secrets {
		if value := example[name]; value != "" {
			t.Errorf(".env.example has a value for %s: people would run with it", name)
		}
	}
}

// Without its secrets the system does not start: each service that needs one says which.
func TestNothingStartsWithoutSecrets(t *testing.T) {
	t.Parallel()
	example := readEnv(t, readFile(t, "deploy/compose/.env.example"))
	for _, name := range secrets {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environment := maps.Clone(example)
			for _, other := range secrets {
				environment[other] = "x"
			}
			if _, err := interpolate(string(readFile(t, "docker-compose.yml")), environment); err != nil {
				t.Fatalf("with all secrets: %v", err)
			}
			environment[name] = ""
			if _, err := interpolate(string(readFile(t, "docker-compose.yml")), environment); err == nil ||
				!strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "make-env.sh") {
				t.Errorf("without %s: %v, want an error that names it and says what to do", name, err)
			}
		})
	}
}

func TestMakeEnv(t *testing.T) {
	t.Parallel()
	target := filepath.Join(t.TempDir(), ".env")
	content := makeEnv(t, target)
	got, want := readEnv(t, content), readEnv(t, readFile(t, "deploy/compose/.env.example"))
	seen := map[string]bool{}
	for _, name := range secrets {
		if len(got[name]) < gatewayconfig.MinSecret || seen[got[name]] {
			t.Errorf("%s is too short, or not its own", name)
		}
		seen[got[name]] = true
		want[name] = got[name]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("more than the secrets changed (-example +made):\n%s", diff)
	}
	if info, err := os.Stat(target); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file mode %v, %v, want 0600", info.Mode(), err)
	}
	if output, err := exec.Command("sh", "make-env.sh", target).CombinedOutput(); err == nil ||
		!strings.Contains(string(output), "exists already") {
		t.Errorf("a second run: %v %s, want a refusal", err, output)
	}
	if again, err := os.ReadFile(target); err != nil || !slices.Equal(again, content) {
		t.Errorf("a second run changed the file (%v)", err)
	}
}

// Every variable the compose file gives a service is one that the service reads.
func TestServicesKnowTheirVariables(t *testing.T) {
	t.Parallel()
	known := map[string]map[string]bool{
		"gateway": variables(reflect.TypeFor[gatewayconfig.Config](), gatewayconfig.Prefix),
		"chatsvc": variables(reflect.TypeFor[chatsvcconfig.Config](), chatsvcconfig.Prefix),
	}
	for name, variables := range known {
		if len(variables) < 5 {
			t.Fatalf("%s: only %d variables found in its configuration", name, len(variables))
		}
		for given := range readCompose(t).Services[name].Environment {
			if !variables[given] {
				t.Errorf("%s is given %s, which it does not know", name, given)
			}
		}
	}
}

// variables are the names in the env tags of a configuration struct.
func variables(config reflect.Type, prefix string) map[string]bool {
	names := map[string]bool{}
	for i := range config.NumField() {
		field := config.Field(i)
		if nested, ok := field.Tag.Lookup("envPrefix"); ok {
			maps.Copy(names, variables(field.Type, prefix+nested))
		} else if name, _, _ := strings.Cut(field.Tag.Get("env"), ","); name != "" {
			names[prefix+name] = true
		}
	}
	return names
}

// With a fresh .env both services accept what they are given, and each finds the others where they listen.
func TestServicesAcceptTheirConfiguration(t *testing.T) {
	file := readCompose(t)
	env := readEnv(t, makeEnv(t, filepath.Join(t.TempDir(), ".env")))

	chatsvc, err := chatsvcconfig.LoadFrom(interpolated(t, file.Services["chatsvc"], env))
	if err != nil {
		t.Fatalf("chatsvc: %v", err)
	}
	gateway, err := gatewayconfig.LoadFrom(interpolated(t, file.Services["gateway"], env))
	if err != nil {
		t.Fatalf("gateway: %v", err)
	}

	checks := []struct{ name, got, want string }{
		{"chatsvc as the gateway dials it", gateway.ChatsvcTarget, "dns:///chatsvc" + chatsvc.Addr},
		{"the gateway's NATS", gateway.NATS.URL, chatsvc.NATS.URL},
		{"the gateway's Redis", gateway.RedisURL, "redis://:" + env["REDIS_PASSWORD"] + "@redis:6379"},
		{"chatsvc's Redis", chatsvc.RedisURL, "redis://chatsvc:" + env["REDIS_CHATSVC_PASSWORD"] + "@redis:6379"},
		{"the public address, as HAProxy dials it", gateway.Addr, ":8080"},
		{"the gateway's credential", "gateway:" + env["CHATSVC_GATEWAY_SECRET"], gateway.ChatsvcCredential},
		{"the caller that chatsvc knows", chatsvc.Callers[0].Name + ":" + chatsvc.Callers[0].Secret, gateway.ChatsvcCredential},
		{"its role", chatsvc.Callers[0].Role, chatsvcconfig.RoleGateway},
		{"the secret of tokens", gateway.JWT.Secret, env["FLILIY_JWT_SECRET"]},
		{"the secret of gateways", gateway.Peer.Secret, env["GATEWAY_PEER_SECRET"]},
		{"admin address of the gateway", gateway.AdminAddr, ":8090"},
		{"admin address of chatsvc", chatsvc.AdminAddr, ":9091"},
		{"the admin token of the gateway", gateway.AdminToken, env["FLILIY_ADMIN_TOKEN"]},
		{"the admin token of chatsvc", chatsvc.AdminToken, env["FLILIY_ADMIN_TOKEN"]},
	}
	for _, c := range checks {
		if c.got != c.want {
			t.Errorf("%s is %q, want %q", c.name, c.got, c.want)
		}
	}
	if len(gateway.Origins) > 0 {
		t.Errorf("origins %q of an empty list", gateway.Origins)
	}
}
