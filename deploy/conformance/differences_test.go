package conformance_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/fliliy/chat/deploy/stompwire"
)

// verdict is how the server keeps a rule, as one test finds it.
type verdict struct {
	t    *testing.T
	rule string
	spec string // the sentence it stands on
}

// found is what differs, told once for each rule.
var found struct {
	sync.Mutex
	all []difference
}

type difference struct{ rule, spec, what string }

// fails says what the server does instead. With -differences that is what is asked for, and no failure.
func (v verdict) fails(format string, args ...any) {
	v.t.Helper()
	what := fmt.Sprintf(format, args...)
	if *differences == "" {
		v.t.Errorf("%s\n%s", what, v.spec)
		return
	}
	v.t.Logf("%s\n%s", what, v.spec)
	found.Lock()
	defer found.Unlock()
	if !slices.ContainsFunc(found.all, func(d difference) bool { return d.rule == v.rule }) {
		found.all = append(found.all, difference{v.rule, v.spec, what})
	}
}

const page = `# Where servers differ

What %s does otherwise than the rules of this package say, all of which the gateway's conformance
broker keeps (` + "`make conformance`" + `). S12, S11, S10 are the STOMP specifications by section. This page is written by
` + "`make differences`" + `: it starts Debian's RabbitMQ with its ` + "`rabbitmq_web_stomp`" + ` plugin, as the package configures it, and
writes down what does not hold within 5 s. Any other server: ` + "`make conformance ADDR=ws://host:port/path`" + `.

| rule | it stands on | %[1]s |
|---|---|---|
`

// writeDifferences writes the page.
func writeDifferences(to string) error {
	name, err := serverName()
	if err != nil {
		return err
	}
	found.Lock()
	defer found.Unlock()
	slices.SortFunc(found.all, func(a, b difference) int { return cmp.Compare(order(a.rule), order(b.rule)) })
	var out strings.Builder
	fmt.Fprintf(&out, page, name)
	cell := strings.NewReplacer("|", "\\|", "\n", " ", "\r", " ")
	for _, d := range found.all {
		fmt.Fprintf(&out, "| %s | %s | %s |\n", cell.Replace(d.rule), cell.Replace(d.spec), cell.Replace(d.what))
	}
	if err := os.WriteFile(to, []byte(out.String()), 0o600); err != nil {
		return fmt.Errorf("write the differences: %w", err)
	}
	return nil
}

// order sorts rules as the tables have them, others behind by their names.
func order(rule string) string {
	for i, r := range rules() {
		if r.name == rule {
			return fmt.Sprintf("%04d", i)
		}
	}
	return rule
}

// serverName is what the server calls itself in CONNECTED.
func serverName() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	socket, _, err := websocket.Dial(ctx, stomp, nil)
	if err != nil {
		return "", fmt.Errorf("dial %s: %w", stomp, err)
	}
	defer func() { _ = socket.CloseNow() }()
	if err := socket.Write(ctx, websocket.MessageText, []byte(strings.ReplaceAll(connect12, "^@", "\x00"))); err != nil {
		return "", fmt.Errorf("send CONNECT: %w", err)
	}
	connected, code, err := stompwire.Next(ctx, socket)
	if connected == nil {
		return "", fmt.Errorf("CONNECT was answered by a close with %d: %w", code, err)
	}
	return connected.Header.Get("server"), nil
}

// TestDifferencesNameRules holds the page to the rules: each that it names is there.
func TestDifferencesNameRules(t *testing.T) {
	t.Parallel()
	if *differences != "" {
		t.Log("the page is about to be written")
		return
	}
	text, err := os.ReadFile("DIFFERENCES.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, r := range rules() {
		known[r.name] = true
	}
	named := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, " | ")
		rule, isRow := strings.CutPrefix(cells[0], "| ")
		if !isRow || rule == "rule" {
			continue
		}
		named++
		if kind, _, of := strings.Cut(rule, ": "); of && slices.Contains(kinds, kind) {
			continue // a case of another table
		}
		if !known[strings.ReplaceAll(rule, "\\|", "|")] {
			t.Errorf("DIFFERENCES.md: %q is no rule: write the page again (make differences)", rule)
		}
	}
	if named == 0 {
		t.Error("DIFFERENCES.md has no rows")
	}
}

// kinds of rules that other tables than rules have, as their names begin.
var kinds = []string{"WebSocket", "handshake", "time", "stompjs", "output"}
