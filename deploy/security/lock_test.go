package security_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fliliy/chat/deploy/security"
)

// door is a small module with a lock, a test that watches it and one that does not.
func door(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module door\n\ngo 1.24\n",
		"door.go": "package door\n\nfunc Open(key string) bool { return key == \"right\" }\n",
		"door_test.go": `package door

import "testing"

func TestWrongKey(t *testing.T) {
	t.Run("the wrong one", func(t *testing.T) {
		if Open("wrong") {
			t.Error("it opens")
		}
	})
}

func TestRightKey(t *testing.T) {
	if !Open("right") {
		t.Error("it stays shut")
	}
}

func TestNever(t *testing.T) { t.Error("always") }
`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestTry(t *testing.T) {
	t.Setenv("GOWORK", "off")
	root := door(t)
	for name, tc := range map[string]struct {
		without, test string
		want          string // part of the error; empty: none
	}{
		"watched":            {"true || key == \"\"", "TestWrongKey", ""},
		"watched by a case":  {"true || key == \"\"", "TestWrongKey/the wrong one", ""},
		"not watched":        {"true || key == \"\"", "TestRightKey", security.ErrSurvived.Error()},
		"does not compile":   {"nonsense", "TestWrongKey", "does not compile"},
		"fails all the time": {"true || key == \"\"", "TestNever", "fails even with the check"},
		"no such test":       {"true || key == \"\"", "TestMissing", "there is no such test"},
	} {
		t.Run(name, func(t *testing.T) {
			l := security.Lock{
				Name: name, Row: 1, File: "door.go", Check: `key == "right"`, Without: tc.without, Package: ".", Test: tc.test,
			}
			err := l.Try(context.Background(), root)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestTakenOffWantsTheTextOnce(t *testing.T) {
	t.Parallel()
	root := door(t)
	for check, want := range map[string]string{"key": "2 times", "keyhole": "0 times"} {
		l := security.Lock{Name: "x", File: "door.go", Check: check}
		if _, err := l.TakenOff(root); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q in it", check, err, want)
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	good := `{"name":"a","row":1,"file":"f","check":"c","without":"","package":"p","test":"T"}`
	for name, tc := range map[string]struct{ file, want string }{
		"one":           {"[" + good + "]", ""},
		"twice":         {"[" + good + "," + good + "]", "twice"},
		"a field more":  {`[{"nam":"a"}]`, "unknown field"},
		"a field less":  {`[{"name":"a","row":1}]`, "are needed"},
		"nothing taken": {strings.Replace("["+good+"]", `"without":""`, `"without":"c"`, 1), "the check itself"},
		"no JSON":       {"[", "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			folder := filepath.Join(root, security.Folder)
			if err := errors.Join(os.MkdirAll(folder, 0o700),
				os.WriteFile(filepath.Join(folder, "area.json"), []byte(tc.file), 0o600)); err != nil {
				t.Fatal(err)
			}
			locks, err := security.Load(root)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q in it", err, tc.want)
			}
			if err == nil && (len(locks) != 1 || locks[0].Area != "area") {
				t.Errorf("locks are %+v", locks)
			}
		})
	}
	if _, err := security.Load(t.TempDir()); err == nil {
		t.Error("a repository without locks is no error")
	}
}
