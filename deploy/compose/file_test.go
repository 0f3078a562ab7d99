package compose_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// root is the repository's root, as seen from this package.
const root = "../.."

// composeFile is the part of the Compose specification that our file uses. An unknown key fails the test: either it is
// a slip, or it belongs in here.
type composeFile struct {
	Name       string             `yaml:"name"`
	Restricted yaml.Node          `yaml:"x-restricted"`
	Services   map[string]service `yaml:"services"`
	Networks   map[string]struct {
		Internal bool `yaml:"internal"`
	} `yaml:"networks"`
	Volumes map[string]struct{} `yaml:"volumes"`
}

type service struct {
	Image       string                `yaml:"image"`
	Build       *build                `yaml:"build"`
	User        string                `yaml:"user"`
	Command     []string              `yaml:"command"`
	Environment map[string]string     `yaml:"environment"`
	DependsOn   map[string]dependency `yaml:"depends_on"`
	HealthCheck *healthCheck          `yaml:"healthcheck"`
	Networks    []string              `yaml:"networks"`
	Ports       []string              `yaml:"ports"`
	Volumes     []string              `yaml:"volumes"`
	Tmpfs       []string              `yaml:"tmpfs"`
	Limits      `yaml:",inline"`
}

// Limits is what a container may do and use.
type Limits struct {
	Restart         string                    `yaml:"restart"`
	ReadOnly        bool                      `yaml:"read_only"`
	CapDrop         []string                  `yaml:"cap_drop"`
	SecurityOpt     []string                  `yaml:"security_opt"`
	StopGracePeriod string                    `yaml:"stop_grace_period"`
	ShmSize         string                    `yaml:"shm_size"`
	Ulimits         map[string]map[string]int `yaml:"ulimits"`
}

type build struct {
	Context    string `yaml:"context"`
	Dockerfile string `yaml:"dockerfile"`
}

type dependency struct {
	Condition string `yaml:"condition"`
}

type healthCheck struct {
	Test        []string `yaml:"test"`
	Interval    string   `yaml:"interval"`
	Timeout     string   `yaml:"timeout"`
	Retries     int      `yaml:"retries"`
	StartPeriod string   `yaml:"start_period"`
}

// readCompose parses the file strictly: unknown and doubled keys are errors.
func readCompose(t *testing.T) composeFile {
	t.Helper()
	decoder := yaml.NewDecoder(bytes.NewReader(readFile(t, "docker-compose.yml")))
	decoder.KnownFields(true)
	var file composeFile
	if err := decoder.Decode(&file); err != nil {
		t.Fatalf("docker-compose.yml: %v", err)
	}
	return file
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// variable is ${NAME}, ${NAME:-default} or ${NAME:?why it is needed}.
var variable = regexp.MustCompile(`\$\{([A-Z_]+)(?:(:-|:\?)([^}]*))?\}`)

// interpolate does what Compose does with the variables of a text.
func interpolate(text string, environment map[string]string) (string, error) {
	var missing error
	result := variable.ReplaceAllStringFunc(text, func(use string) string {
		parts := variable.FindStringSubmatch(use)
		name, operator, operand := parts[1], parts[2], parts[3]
		value := environment[name]
		switch {
		case value != "":
		case operator == ":-":
			value = operand
		default:
			missing = fmt.Errorf("%s is not set: %s", name, operand)
		}
		return value
	})
	return result, missing
}

// interpolated is a service's environment as its container sees it.
func interpolated(t *testing.T, s service, environment map[string]string) map[string]string {
	t.Helper()
	result := make(map[string]string, len(s.Environment))
	for name, text := range s.Environment {
		value, err := interpolate(text, environment)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		result[name] = value
	}
	return result
}

// readEnv parses a .env file: NAME=value lines, comments and empty lines.
func readEnv(t *testing.T, content []byte) map[string]string {
	t.Helper()
	values := map[string]string{}
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if _, doubled := values[name]; !ok || doubled {
			t.Fatalf(".env: line %q is no NAME=value, or a second one", line)
		}
		values[name] = value
	}
	return values
}
