package chatsvc_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/fliliy/chat/chatsvc/config"
)

func TestAdminServer(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	s := start(t, stores["sqlite"](t), broker.url())
	s.say("alice", s.room("alice", "bob"), "hello", "")
	for path, want := range map[string]string{
		"/healthz":             "ok",
		"/readyz":              "ready\nnats: CONNECTED",
		"/debug/pprof/cmdline": "test",
		"/metrics":             `fliliy_chatsvc_rpc_calls_total{code="OK",method="/fliliy.chat.v1.ChatService/SendMessage"} 1`,
	} {
		code, body := get(t, "http://"+s.service.AdminAddr()+path)
		if code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d, no %q in\n%s", path, code, want, body)
		}
	}
	if code, _ := get(t, "http://"+s.service.AdminAddr()+"/nothing"); code != http.StatusNotFound {
		t.Errorf("/nothing: %d", code)
	}
}

// RELIABILITY row 35: with an admin token nothing but health is told without it.
func TestThreat35AdminToken(t *testing.T) {
	t.Parallel()
	token := strings.Repeat("0123456789abcdef", 2)
	s := start(t, stores["sqlite"](t), startBroker(t).url(), func(cfg *config.Config) { cfg.AdminToken = token })
	for _, tc := range []struct {
		path, shown string
		want        int
	}{
		{"/metrics", "", 401},
		{"/metrics", "Bearer ", 401},
		{"/metrics", "Bearer " + token[:31], 401},
		{"/metrics", "Bearer " + token + "0", 401},
		{"/metrics", "Basic " + token, 401},
		{"/metrics", token, 401},
		{"/debug/pprof/", "", 401},
		{"/debug/pprof/heap", "", 401},
		{"/debug/pprof/cmdline", "Bearer x", 401},
		{"/nothing", "", 401},
		{"/healthz", "", 200},
		{"/readyz", "", 200},
		{"/metrics", "Bearer " + token, 200},
		{"/debug/pprof/cmdline", "bearer " + token, 200},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.service.AdminAddr()+tc.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", tc.shown)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != tc.want {
			t.Errorf("%s with %q: %d, want %d", tc.path, tc.shown, response.StatusCode, tc.want)
		}
	}
}

func TestReadinessNeedsTheDatabaseAndNotNATS(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	s := start(t, stores["sqlite"](t), broker.url())
	url := "http://" + s.service.AdminAddr() + "/readyz"
	broker.stop()
	eventually(t, "readiness tells that NATS is away", func() bool {
		code, body := get(t, url)
		return code == http.StatusOK && strings.Contains(body, "nats: RECONNECTING")
	})
}

func get(tb testing.TB, url string) (int, string) {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, url, nil)
	if err != nil {
		tb.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return response.StatusCode, string(body)
}
