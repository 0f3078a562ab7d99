package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// scriptSteps are what deploy/test-websocket.sh does, in order.
var scriptSteps = []string{"health", "token", "room", "send", "history", "stomp", "presence", "config"}

// gatewayBinary builds the gateway once for all tests.
var gatewayBinary = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "fliliy-gateway-")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(folder, "gateway")
	out, err := exec.CommandContext(context.Background(), "go", "build", "-o", binary, "../../gateway/cmd/gateway").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return binary, nil
})

// scriptRun is what the script printed, and its exit code.
type scriptRun struct {
	out, errors string
	code        int
}

// runScript runs deploy/test-websocket.sh with nothing of the caller's environment that it reads.
func runScript(t *testing.T, args ...string) scriptRun {
	t.Helper()
	binary, err := gatewayBinary()
	if err != nil {
		t.Fatalf("build the gateway: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	command := exec.CommandContext(ctx, "../test-websocket.sh", args...)
	command.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir(), "GATEWAY=" + binary, "LC_ALL=C.UTF-8",
	}
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil && command.ProcessState == nil {
		t.Fatalf("the script did not run: %v", err)
	}
	return scriptRun{stdout.String(), stderr.String(), command.ProcessState.ExitCode()}
}

// TestScript runs the script against a whole system, and holds what it wrote against it.
func TestScript(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		config := filepath.Join(t.TempDir(), "config.json")
		run := runScript(t, "--base-url", s.httpURL(0)+"/", "--config", config)
		if run.code != 0 || run.errors != "" {
			t.Fatalf("exit code %d\n%s%s", run.code, run.out, run.errors)
		}
		lines := strings.Split(run.out, "\n")
		for i, step := range scriptSteps {
			if !strings.HasPrefix(lines[i], "✅ "+step+" ") {
				t.Errorf("line %d is %q, want ✅ %s", i+1, lines[i], step)
			}
		}
		text, err := os.ReadFile(config)
		if err != nil {
			t.Fatal(err)
		}
		var made struct{ ServerURL, WebSocketURL, UserID, ChatRoomID, JwtToken, Page string }
		if err := json.Unmarshal(text, &made); err != nil {
			t.Fatalf("the configuration: %v\n%s", err, text)
		}
		if made.ServerURL != s.httpURL(0) || made.WebSocketURL != s.wsURL(0) || made.UserID != "test-alice" {
			t.Errorf("the configuration is %+v", made)
		}
		if got := s.history(t, person{made.UserID, made.JwtToken}, made.ChatRoomID); len(got) < 2 {
			t.Errorf("its room holds %d messages, want the one by HTTP and the one by STOMP", len(got))
		}
		if want := "/#server=" + s.httpURL(0) + "&room=" + made.ChatRoomID + "&token=" + made.JwtToken; !strings.HasSuffix(made.Page, want) ||
			!strings.Contains(run.out, made.Page) {
			t.Errorf("the link is %s", made.Page)
		}
	})
}

// TestScriptSaysWhatIsBroken has a proxy before a whole system break one thing after another.
func TestScriptSaysWhatIsBroken(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	unavailable := answer(http.StatusServiceUnavailable, `{"code":"UNAVAILABLE","message":"the chat service is away"}`)
	tests := []struct {
		name, pattern string
		handler       http.HandlerFunc
		step          string // at which it ends
		says          string
	}{
		{"not alive", "/healthz", unavailable, "health", "make run"},
		{"not ready", "/readyz", unavailable, "health", "not ready"},
		{"no development tokens", "/api/v1/dev/token", answer(http.StatusNotFound, ""), "token", "--token"},
		{"bad token", "/api/v1/dev/token", answer(http.StatusOK, `{"token":"bad"}`), "token", "401"},
		{"no rooms", "POST /api/v1/chat-rooms", unavailable, "room", "the chat service is away"},
		{"not stored", "POST /api/v1/chat-rooms/{room}/messages", unavailable, "send", "503"},
		{"lost", "GET /api/v1/chat-rooms/{room}/messages", answer(http.StatusOK, `{"events":[]}`), "history", "not in it"},
		{"no WebSockets", "/ws", answer(http.StatusBadRequest, ""), "stomp", "proxy"},
		{"nobody knows who is online", "/api/v1/chat-rooms/{room}/online", answer(http.StatusOK, `{"known":false}`), "presence", "Redis"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			whole, err := url.Parse(stages[0].httpURL(0))
			if err != nil {
				t.Fatal(err)
			}
			mux := http.NewServeMux()
			mux.Handle("/", httputil.NewSingleHostReverseProxy(whole))
			mux.Handle(test.pattern, test.handler)
			server := httptest.NewServer(mux)
			defer server.Close()
			checkBroken(t, test.step, test.says, "--base-url", server.URL)
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		checkBroken(t, "health", "make run", "--base-url", server.URL)
	})
	t.Run("no place for the configuration", func(t *testing.T) {
		t.Parallel()
		checkBroken(t, "config", "--config", "--base-url", stages[0].httpURL(0), "--config", filepath.Join(t.TempDir(), "no", "where"))
	})
}

// checkBroken wants the script to end at a step: ❌ with words, nothing after it, exit code 1; the same as JSON.
func checkBroken(t *testing.T, step, says string, args ...string) {
	t.Helper()
	run := runScript(t, args...)
	lines := strings.Split(strings.TrimSpace(run.out), "\n")
	last := lines[len(lines)-1]
	if run.code != 1 || !strings.HasPrefix(last, "❌ "+step+" ") || !strings.Contains(last, says) || !strings.Contains(last, "→") {
		t.Errorf("exit code %d, last line %q; want 1 and ❌ %s with %q\n%s", run.code, last, step, says, run.errors)
	}
	if done := slices.Index(scriptSteps, step); len(lines) != done+1 || strings.Count(run.out, "✅") != done {
		t.Errorf("want %d steps before it:\n%s", done, run.out)
	}
	run = runScript(t, append(args, "--json")...)
	var got struct {
		OK    bool
		Steps []struct {
			Name, Detail, Hint string
			OK                 bool
		}
	}
	if err := json.Unmarshal([]byte(run.out), &got); err != nil || run.code != 1 || got.OK || len(got.Steps) == 0 {
		t.Fatalf("as JSON: exit code %d, %v\n%s", run.code, err, run.out)
	}
	if end := got.Steps[len(got.Steps)-1]; end.Name != step || end.OK || !strings.Contains(end.Detail+end.Hint, says) || end.Hint == "" {
		t.Errorf("the last step as JSON is %+v", end)
	}
}

func TestScriptIsCalledWrongly(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--bse-url", "x"}, {"--token"}, {"now"}} {
		if run := runScript(t, args...); run.code != 2 || run.errors == "" || run.out != "" {
			t.Errorf("%q: exit code %d, says %q", args, run.code, run.errors+run.out)
		}
	}
	if run := runScript(t, "--help"); run.code != 0 || !strings.Contains(run.out, "--base-url") {
		t.Errorf("--help: exit code %d, says %q", run.code, run.out)
	}
}

// TestShellScripts holds every shell script of the repository against shellcheck, as `make lint` does.
func TestShellScripts(t *testing.T) {
	t.Parallel()
	scripts := []string{"../../.ci/run"}
	for _, pattern := range []string{"../*.sh", "../*/*.sh"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		scripts = append(scripts, found...)
	}
	if len(scripts) < 4 {
		t.Fatalf("found only %q", scripts)
	}
	if out, err := exec.CommandContext(t.Context(), "shellcheck", scripts...).CombinedOutput(); err != nil {
		t.Errorf("shellcheck: %v\n%s", err, out)
	}
}
