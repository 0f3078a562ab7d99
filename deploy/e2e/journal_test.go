package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	gatewayconfig "github.com/fliliy/chat/gateway/config"
)

// journal keeps all that the services of a stage log, at level debug, as they would write it.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(line)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// logger writes to the journal, and faults to the terminal too.
func (j *journal) logger() *slog.Logger {
	service := gatewayconfig.Log{Level: slog.LevelDebug, Format: "json"}.Logger(j)
	return slog.New(slog.NewMultiHandler(service.Handler(), loudly()))
}

// metrics are those of all services of a stage.
func (s *stage) metrics(t *testing.T) string {
	t.Helper()
	addrs := []string{s.stack.Chatsvc.AdminAddr()}
	for _, gw := range s.stack.Gateways {
		addrs = append(addrs, gw.AdminAddr())
	}
	var all strings.Builder
	for _, addr := range addrs {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(&all, response.Body)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

// wantUnseen fails for each secret that stands in a text, in the clear or in a common disguise.
func wantUnseen(t *testing.T, where, text string, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		quoted, err := json.Marshal(secret)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{secret, strings.Trim(string(quoted), `"`)} {
			if at := strings.Index(text, form); at >= 0 {
				t.Errorf("%s shows %q: …%.300s…", where, secret, text[max(0, at-150):])
				break
			}
		}
	}
}

// lines checks that the journal is one JSON object a line, none of them long, and returns them.
func (j *journal) lines(t *testing.T) []string {
	t.Helper()
	const longest = 64 << 10 // a line has several values
	var all []string
	scanner := bufio.NewScanner(strings.NewReader(j.String()))
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		line := scanner.Text()
		var entry struct{ Time, Level, Msg string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Time == "" || entry.Level == "" || entry.Msg == "" {
			t.Errorf("a line of the log is no entry: %.200q (%v)", line, err)
		}
		if len(line) > longest || strings.ContainsAny(line, "\r\x1b\x00") {
			t.Errorf("a line of the log has %d bytes, or control characters: %.200q", len(line), line)
		}
		all = append(all, line)
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
