package scenario_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fliliy/chat/deploy/loadgen/scenario"
)

func TestWhatIsBuiltInIsGood(t *testing.T) {
	t.Parallel()
	if len(scenario.Names()) < 8 || len(scenario.TargetNames()) < 2 {
		t.Fatalf("scenarios %v, targets %v", scenario.Names(), scenario.TargetNames())
	}
	for _, name := range scenario.Names() {
		s, err := scenario.Open(name)
		if err != nil {
			t.Error(err)
		} else if s.Name != name || s.About == "" {
			t.Errorf("%s.yaml calls itself %q, about %q", name, s.Name, s.About)
		}
	}
	for _, name := range scenario.TargetNames() {
		target, err := scenario.OpenTarget(name)
		if err != nil {
			t.Error(err)
		} else if target.Name != name || target.About == "" {
			t.Errorf("%s.yaml calls itself %q, about %q", name, target.Name, target.About)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	const good = "name: x\nconnections: 200\nrooms: {size: 150}\nduration: 10s\n"
	for _, tc := range []struct {
		name, text string
		want       []string // the error names these; none: no error
	}{
		{"good", good, nil},
		{"empty", "", []string{"empty"}},
		{"two", good + "---\n" + good, []string{"second document"}},
		{"unknown key", good + "durations: 3s\n", []string{"durations"}},
		{"unknown key inside", good + "load: {pace: 3}\n", []string{"pace"}},
		{"no number", "connections: many\n", []string{"many"}},
		{"no time", good + "warmup: 3\nstorm: {after: soon}\n", []string{"soon"}},
		{"all that is missing", "about: nothing\n", []string{"name:", "connections:", "rooms.size:", "duration:"}},
		{"senders", good + "load: {closed: complete}\nqueues: true\n", nil},
		{
			"senders of a complete loop", "name: x\nconnections: 9\nrooms: {size: 9}\nduration: 1s\nload: {closed: complete}",
			[]string{"rooms.senders"},
		},
		{"both loops", good + "load: {closed: receipt, rate: 5}\n", []string{"closed and rate"}},
		{"no such loop", good + "load: {closed: soon}\n", []string{"load.closed"}},
		{"negative", good + "load: {rate: -1, churn: -2, window: -1}\n", []string{"load.rate", "load.churn", "load.window"}},
		{"small payload", good + "payload: 20\n", []string{"payload"}},
		{"storm", good + "storm: {share: 2, after: 11s}\n", []string{"storm.share", "storm.after"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := scenario.Parse("a-file", []byte(tc.text))
			if len(tc.want) == 0 {
				if err != nil || got.Rooms.Senders != 1 || got.Rooms.Each != 1 || got.AtOnce < 1 || got.Payload != 128 {
					t.Errorf("%+v, %v", got, err)
				}
				return
			}
			for _, want := range append(tc.want, "a-file") {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q in it", err, want)
				}
			}
		})
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(path, []byte("name: mine\nconnections: 2\nrooms: {size: 2}\nduration: 1m"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := scenario.Open(path); err != nil || s.Duration != time.Minute || s.Rooms.Senders != 2 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := scenario.Open("no-such"); err == nil || !strings.Contains(err.Error(), "fan-out") {
		t.Errorf("error %v, want one that names what there is", err)
	}
	if _, err := scenario.Open("no/such.yaml"); err == nil {
		t.Error("no error for a file that is not there")
	}
}

func TestParseTarget(t *testing.T) {
	t.Parallel()
	const good = "name: x\npath: /ws\nrooms: numbered\ntopic: /t/{room}\nsend: /s/{room}\nbody: '{\"a\":\"{payload}\"}'\n"
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"good", good, nil},
		{"all that is missing", "about: x", []string{"name:", "path:", "rooms:", "topic:", "send:", "body:"}},
		{"a misspelt place", good + "login: {passcode: '{tokn}'}", []string{"login.passcode", "{tokn}", "{token}"}},
		{"unknown key", good + "retries: 3", []string{"retries"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := scenario.ParseTarget("a-file", []byte(tc.text))
			if len(tc.want) == 0 && err != nil {
				t.Error(err)
			}
			for _, want := range tc.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q in it", err, want)
				}
			}
		})
	}
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	values := &scenario.Values{}
	values[scenario.Room], values[scenario.Payload] = []byte("42"), []byte("hello")
	for text, want := range map[string]string{
		"":                        "",
		"plain":                   "plain",
		"/topic/{room}":           "/topic/42",
		"{room}{room}-{payload}":  "4242-hello",
		`{"a":{"b":"{payload}"}}`: `{"a":{"b":"hello"}}`,
		"{user}{":                 "{",
	} {
		compiled, err := scenario.Compile(text)
		if err != nil {
			t.Errorf("Compile(%q): %v", text, err)
			continue
		}
		if got := string(compiled.Append(nil, values)); got != want || compiled.Len(values) != len(want) {
			t.Errorf("%q makes %q (%d), want %q", text, got, compiled.Len(values), want)
		}
	}
}

// Every user is in as many different rooms as wanted, every room has its size but for the last of a layer, and a split
// covers all users once.
func TestLayout(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := scenario.Scenario{Connections: rapid.IntRange(1, 200).Draw(t, "users")}
		s.Rooms.Size = rapid.IntRange(1, s.Connections).Draw(t, "size")
		s.Rooms.Each = rapid.IntRange(1, 4).Draw(t, "each")
		l := scenario.NewLayout(&s)
		seen := make([][]int, s.Connections)
		small := 0
		for room, members := range l.Members {
			if len(members) < s.Rooms.Size {
				small++
			}
			if len(members) == 0 || len(members) > s.Rooms.Size {
				t.Fatalf("room %d has %d members", room, len(members))
			}
			for _, user := range members {
				if slices.Contains(seen[user], room) {
					t.Fatalf("user %d is in room %d twice", user, room)
				}
				seen[user] = append(seen[user], room)
			}
		}
		if small > s.Rooms.Each {
			t.Fatalf("%d rooms are small, want at most one a layer", small)
		}
		for user := range seen {
			if len(seen[user]) != s.Rooms.Each || !slices.Equal(seen[user], l.RoomsOf[user]) {
				t.Fatalf("user %d is in %v and told %v, want %d rooms", user, seen[user], l.RoomsOf[user], s.Rooms.Each)
			}
		}
		each := rapid.IntRange(1, 200).Draw(t, "each worker")
		starts := scenario.Split(&s, each)
		if starts[0] != 0 || starts[len(starts)-1] != s.Connections || !slices.IsSorted(starts) {
			t.Fatalf("split %v of %d", starts, s.Connections)
		}
		for i := range starts[1:] {
			if n := starts[i+1] - starts[i]; n < 1 || n > each {
				t.Fatalf("a worker has %d users, want 1 to %d", n, each)
			}
			if s.Rooms.Size <= each && starts[i]%s.Rooms.Size != 0 {
				t.Fatalf("worker %d begins at %d, within a room of %d", i, starts[i], s.Rooms.Size)
			}
		}
	})
}
