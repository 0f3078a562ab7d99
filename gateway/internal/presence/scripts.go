package presence

import (
	"embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed scripts/*.lua
var scripts embed.FS

var (
	acquireScript = mustScript("lib", "acquire")
	applyScript   = mustScript("lib", "apply")
	beatScript    = mustScript("lib", "beat")
	reapScript    = mustScript("lib", "reap")
	leaveScript   = mustScript("lib", "leave")
	onlineScript  = mustScript("online")
)

// mustScript is the names of keys, and then those files.
func mustScript(names ...string) *redis.Script {
	source := luaNames()
	for _, name := range names {
		part, err := scripts.ReadFile("scripts/" + name + ".lua")
		if err != nil {
			panic(err) // it is embedded
		}
		source += string(part)
	}
	return redis.NewScript(source)
}

// told is what everyone has been told of a user: her status, and since when it is so. The zero value is that nobody
// was told anything, which is as good as offline.
type told struct {
	status status // 0: offline
	at     int64  // ms; those of one user rise
}

func (t told) String() string {
	if t.at == 0 {
		return ""
	}
	return t.status.String() + " " + strconv.FormatInt(t.at, 10)
}

// parseTold reads "status at" at the end of a text.
func parseTold(text string) (told, error) {
	words := strings.Fields(text)
	if len(words) < 2 {
		return told{}, fmt.Errorf("read presence %q: want a status and a time", text)
	}
	at, err := strconv.ParseInt(words[len(words)-1], 10, 64)
	if err != nil {
		return told{}, fmt.Errorf("read presence %q: %w", text, err)
	}
	s, _ := parseStatus(words[len(words)-2])
	return told{status: s, at: at}, nil
}

// change is a Change as scripts write it: "number at status user".
func parseChange(text string) (number uint64, change Change, err error) {
	words := strings.SplitN(text, " ", 4)
	if len(words) < 4 {
		return 0, Change{}, fmt.Errorf("read presence change %q: want a number, a time, a status and a user", text)
	}
	number, err = strconv.ParseUint(words[0], 10, 64)
	ms, err2 := strconv.ParseInt(words[1], 10, 64)
	if err := errors.Join(err, err2); err != nil {
		return 0, Change{}, fmt.Errorf("read presence change %q: %w", text, err)
	}
	return number, Change{User: words[3], Status: words[2], At: time.UnixMilli(ms)}, nil
}

// parseChanges reads those with a number above after.
func parseChanges(texts []string, after uint64) ([]Change, error) {
	var changes []Change
	for _, text := range texts {
		number, change, err := parseChange(text)
		if err != nil {
			return nil, err
		}
		if number > after {
			changes = append(changes, change)
		}
	}
	return changes, nil
}

// answer is what a script returned: flags and lists of strings, in an order that its first lines tell.
type answer struct {
	values []any
	err    error
}

// flag takes the next value, a number that is 0 or not.
func (a *answer) flag() bool {
	n, _ := next[int64](a)
	return n != 0
}

// list takes the next value, a list of strings.
func (a *answer) list() []string {
	values, _ := next[[]any](a)
	texts := make([]string, 0, len(values))
	for _, value := range values {
		text, ok := value.(string)
		if !ok {
			a.err = fmt.Errorf("presence script answered %T in a list: want a string", value)
		}
		texts = append(texts, text)
	}
	return texts
}

func next[T any](a *answer) (T, bool) {
	var none T
	if len(a.values) == 0 {
		a.err = fmt.Errorf("presence script answered too little: want a %T more", none)
		return none, false
	}
	value, ok := a.values[0].(T)
	if !ok {
		a.err = fmt.Errorf("presence script answered %T: want %T", a.values[0], none)
	}
	a.values = a.values[1:]
	return value, ok
}
