package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/fliliy/chat/chatsvc/config"
)

// RELIABILITY row 30: whatever a client puts into a value, an entry is one line, and not a long one.
func TestThreat30OneLineAnEntry(t *testing.T) {
	t.Parallel()
	nasty := "x\r\n{\"level\":\"INFO\",\"msg\":\"forged\"}\n\x1b[2J\x00\u2028" + strings.Repeat("\xff", 3) + strings.Repeat("长", 5<<10)
	for _, format := range []string{"json", "text"} {
		var out bytes.Buffer
		logger := config.Log{Format: format}.Logger(&out)
		logger.Info(nasty, "text", nasty, "error", errors.New(nasty), slog.Group("in", "group", nasty))
		logger.Info("as it is", "stack", strings.Repeat("s", 20<<10), "short", "short\n", "number", 7, "flag", true)
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != 2 {
			t.Fatalf("%s: %d lines, want one for each of 2 entries", format, len(lines))
		}
		if strings.ContainsAny(lines[0], "\r\x1b\x00") || len(lines[0]) > 4*(4<<10)*3/2 {
			t.Errorf("%s: control characters, or %d bytes: %.300q", format, len(lines[0]), lines[0])
		}
		if !strings.Contains(lines[1], strings.Repeat("s", 20<<10)) {
			t.Errorf("%s: a stack was cut", format)
		}
		if format == "json" {
			wantEntry(t, lines[0], len(nasty))
		}
	}
}

// wantEntry checks the JSON of an entry whose values were cut.
func wantEntry(t *testing.T, line string, length int) {
	t.Helper()
	var entry struct {
		Level, Msg, Text, Error string
		In                      struct{ Group string }
	}
	if err := json.Unmarshal([]byte(line), &entry); err != nil {
		t.Fatalf("no JSON: %v", err)
	}
	for _, value := range []string{entry.Msg, entry.Text, entry.Error, entry.In.Group} {
		if len(value) > 4<<10+64 || !strings.HasPrefix(value, "x\r\n{") || !strings.HasSuffix(value, " bytes)") {
			t.Errorf("a value of %d bytes became %d: %.80q…", length, len(value), value)
		}
	}
}
