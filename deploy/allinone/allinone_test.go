package allinone_test

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/redis/go-redis/v9"

	"github.com/fliliy/chat/deploy/allinone"
)

func freePorts(t *testing.T) allinone.Options {
	t.Helper()
	const any = "127.0.0.1:0"
	return allinone.Options{
		GatewayAddrs: []string{any, any}, GatewayAdminAddrs: []string{any}, ChatsvcAddr: any, ChatsvcAdminAddr: any,
		NATSAddr: any, RedisAddr: any, DataDir: t.TempDir(),
	}
}

func start(t *testing.T, options allinone.Options) *allinone.Stack {
	t.Helper()
	stack, err := allinone.Start(t.Context(), options)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() {
		if err := stack.Stop(); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return stack
}

// TestServersCanBeLookedInto reaches the embedded NATS and Redis with their stock clients, and sees Redis's clock move.
func TestServersCanBeLookedInto(t *testing.T) {
	t.Parallel()
	stack := start(t, freePorts(t))
	nc, err := nats.Connect(stack.NATSURL)
	if err != nil {
		t.Fatalf("connect to NATS: %v", err)
	}
	nc.Close()
	url, err := redis.ParseURL(stack.RedisURL)
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(url)
	defer rdb.Close()
	if err := rdb.Set(t.Context(), "short-lived", "x", 100*time.Millisecond).Err(); err != nil {
		t.Fatalf("set a key in Redis: %v", err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for rdb.Exists(t.Context(), "short-lived").Val() != 0 {
		if time.Now().After(deadline) {
			t.Fatal("a key of 100 ms is still there after 10 s: Redis's clock stands still")
		}
	}
}

func TestTakenPortIsOneClearLine(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() }) // the parallel subtests outlive this function's body
	addr := taken.Addr().String()
	for _, tc := range []struct {
		flag string
		take func(*allinone.Options)
	}{
		{"--gateways", func(o *allinone.Options) { o.GatewayAddrs[1] = addr }},
		{"--gateway-admins", func(o *allinone.Options) { o.GatewayAdminAddrs[0] = addr }},
		{"--chatsvc", func(o *allinone.Options) { o.ChatsvcAddr = addr }},
		{"--chatsvc-admin", func(o *allinone.Options) { o.ChatsvcAdminAddr = addr }},
		{"--nats", func(o *allinone.Options) { o.NATSAddr = addr }},
		{"--redis", func(o *allinone.Options) { o.RedisAddr = addr }},
	} {
		t.Run(tc.flag, func(t *testing.T) {
			t.Parallel()
			options := freePorts(t)
			tc.take(&options)
			_, err := allinone.Start(t.Context(), options)
			if err == nil {
				t.Fatal("Start succeeded on a taken port")
			}
			text := err.Error()
			if strings.Contains(text, "\n") || !strings.Contains(text, addr) || !strings.Contains(text, tc.flag) {
				t.Errorf("error %q; want one line that names %s and %s", text, addr, tc.flag)
			}
		})
	}
}

func TestDevTokens(t *testing.T) {
	t.Parallel()
	stack := start(t, freePorts(t))
	url := "http://" + stack.Gateways[0].Addr()
	mint := func(body string) (int, map[string]string) {
		t.Helper()
		response, err := http.Post(url+"/api/v1/dev/token", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatalf("POST: %v", err)
		}
		defer response.Body.Close()
		var answer map[string]string
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			t.Fatalf("answer to %s is no JSON: %v", body, err)
		}
		return response.StatusCode, answer
	}
	status, answer := mint(`{"userId":"dave"}`)
	if status != http.StatusOK || answer["token"] == "" {
		t.Fatalf("mint for dave: status %d, answer %v", status, answer)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/v1/chat-rooms", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+answer["token"])
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("use the token: %v", err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("the token is answered with status %d, want 200", response.StatusCode)
	}
	for _, bad := range []string{``, `{`, `{"userId":""}`, `{"userId":"a\nb"}`, `{"userId":7}`} {
		if status, answer := mint(bad); status != http.StatusBadRequest || answer["code"] != "INVALID" || answer["message"] == "" {
			t.Errorf("mint with %q: status %d, answer %v; want 400 INVALID with a text", bad, status, answer)
		}
	}
}

// TestTokensSurviveARestart keeps the secret in the data folder, unreadable for others.
func TestTokensSurviveARestart(t *testing.T) {
	t.Parallel()
	options := freePorts(t)
	if err := start(t, options).Stop(); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	path := filepath.Join(options.DataDir, "jwt-secret")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("the secret is not kept: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the secret = %v, %v; want 0600", info.Mode(), err)
	}
	start(t, options)
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the secret changed at the restart (%v)", err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	options.GatewayAdminAddrs = nil
	if _, err := allinone.Start(t.Context(), options); err == nil || !strings.Contains(err.Error(), "jwt-secret") {
		t.Errorf("Start with a spoilt secret = %v, want an error that names the file", err)
	}
}
