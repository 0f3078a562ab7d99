package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fliliy/chat/deploy/allinone"
)

// root is the repository's.
const root = "../.."

func readRoot(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// onStage replaces the addresses of `make run`'s two gateways by a stage's.
func onStage(s *stage, text string) string {
	return strings.NewReplacer(
		"localhost:8080", s.stack.Gateways[0].Addr(), "127.0.0.1:8080", s.stack.Gateways[0].Addr(),
		"localhost:8081", s.stack.Gateways[1].Addr(), "127.0.0.1:8081", s.stack.Gateways[1].Addr(),
	).Replace(text)
}

// readmeLinks are the README's two links to the test page, for other users and on a stage.
func readmeLinks(t *testing.T, s *stage, names map[string]string) []string {
	t.Helper()
	found := regexp.MustCompile(`<(http://127\.0\.0\.1:[0-9]+/#[^>]*)>`).FindAllStringSubmatch(readRoot(t, "README.md"), -1)
	if len(found) != 2 {
		t.Fatalf("README.md has %d links to the test page, want one for alice and one for bob", len(found))
	}
	links := make([]string, len(found))
	for i, match := range found {
		page, fragment, _ := strings.Cut(onStage(s, match[1]), "#")
		asked, err := url.ParseQuery(fragment)
		if err != nil {
			t.Fatalf("%s: %v", match[1], err)
		}
		for key := range asked {
			if name, ok := names[asked.Get(key)]; ok {
				asked.Set(key, name)
			}
		}
		links[i] = page + "#" + asked.Encode()
	}
	return links
}

// TestReadmeCommands runs the README's curl lines as they stand there, against a stage instead of `make run`.
func TestReadmeCommands(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		var script string
		for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(readRoot(t, "README.md"), -1) {
			if strings.Contains(block[1], "curl ") {
				script += onStage(s, block[1])
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var stderr bytes.Buffer
		bash := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
		bash.Stderr = &stderr
		out, err := bash.Output()
		if err != nil {
			t.Fatalf("the README's commands: %v\n%s%s", err, stderr.Bytes(), out)
		}
		checkCommands(t, out)
	})
}

// checkCommands wants what the README promises: the answer to the message that alice sent by one gateway, then the
// history by the other, which holds that message.
func checkCommands(t *testing.T, out []byte) {
	t.Helper()
	var sent struct{ MessageID string }
	var history struct {
		Events []struct{ Event, MessageID, SenderID, Content string }
	}
	answers := json.NewDecoder(bytes.NewReader(out))
	for _, answer := range []any{&sent, &history} {
		if err := answers.Decode(answer); err != nil {
			t.Fatalf("the README's commands print no two JSON objects: %v\n%s", err, out)
		}
	}
	for _, event := range history.Events {
		if event.MessageID == sent.MessageID && event.Event == "MESSAGE" && event.SenderID == "alice" && event.Content == "你好" {
			return
		}
	}
	t.Errorf("message %q of alice is not in the history:\n%s", sent.MessageID, out)
}

// TestReadmeNames holds what the README names against what is there.
func TestReadmeNames(t *testing.T) {
	t.Parallel()
	readme, makefile := readRoot(t, "README.md"), readRoot(t, "Makefile")
	page := readRoot(t, "gateway/web/websocket-chat-client.html")
	_, walk, found := strings.Cut(readme, "## Sixty seconds\n")
	walk, _, ended := strings.Cut(walk, "\n## ")
	if !found || !ended {
		t.Fatal("README.md has no section called Sixty seconds")
	}
	for _, control := range regexp.MustCompile(`\*([A-Z][^*]+)\*`).FindAllStringSubmatch(walk, -1) {
		if name := strings.Join(strings.Fields(control[1]), " "); !strings.Contains(page, ">"+name) {
			t.Errorf("the walk speaks of %q, which the page does not have", name)
		}
	}
	run := allinone.Default()
	for _, addr := range append([]string{run.ChatsvcAddr, run.NATSAddr, run.RedisAddr}, run.GatewayAddrs...) {
		if _, port, err := net.SplitHostPort(addr); err != nil || !strings.Contains(walk, ":"+port) {
			t.Errorf("the walk does not name port %s, where `make run` listens (%v)", addr, err)
		}
	}
	for _, link := range regexp.MustCompile(`\]\(([^):]+)\)`).FindAllStringSubmatch(readme, -1) {
		if _, err := os.Stat(filepath.Join(root, link[1])); err != nil {
			t.Errorf("a link of README.md leads nowhere: %v", err)
		}
	}
	for _, target := range regexp.MustCompile("(?m)(?:^|`)make ([a-z][a-z0-9-]*)").FindAllStringSubmatch(readme, -1) {
		if !strings.Contains(makefile, "\n"+target[1]+":") {
			t.Errorf("README.md says `make %s`, which the Makefile does not have", target[1])
		}
	}
}

// TestReadmeMap holds the package map to the tree: every package of the services and every folder of deploy is in it.
func TestReadmeMap(t *testing.T) {
	t.Parallel()
	for file, folders := range map[string][]string{
		"README.md":        {"gateway/internal", "chatsvc/internal"},
		"deploy/README.md": {"deploy"},
	} {
		text := readRoot(t, file)
		for _, folder := range folders {
			entries, err := os.ReadDir(filepath.Join(root, folder))
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range entries {
				if name := entry.Name(); entry.IsDir() && !strings.Contains(text, "`"+name) && !strings.Contains(text, name+"`") {
					t.Errorf("%s does not say what %s/%s is", file, folder, name)
				}
			}
		}
	}
}
