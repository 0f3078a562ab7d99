package chatsvc_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
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
