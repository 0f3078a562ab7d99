package security_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/fliliy/chat/deploy/security"
)

const root = "../.."

// rows are those of the list of threats that THREATS.md must answer; 27 (link previews) and 28 (uploads) are about
// things that are not built.
var rows = func() []int {
	var all []int
	for row := 1; row <= 45; row++ {
		if row != 27 && row != 28 {
			all = append(all, row)
		}
	}
	return all
}()

// namedTest is a test as THREATS.md writes it: `folder.Test` or `folder.Test/case`.
var namedTest = regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)\\w+)(?:/([^`]+))?`")

// TestThreatsNameTheirTests holds THREATS.md to the sources: every row is there once and names tests that exist.
func TestThreatsNameTheirTests(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("THREATS.md")
	if err != nil {
		t.Fatal(err)
	}
	sources := make(map[string]string)
	lines := make(map[int]int)
	for number, line := range strings.Split(string(page), "\n") {
		row, ok := rowOf(line)
		if !ok {
			continue
		}
		lines[row]++
		named := namedTest.FindAllStringSubmatch(line, -1)
		if len(named) == 0 {
			t.Errorf("THREATS.md:%d: row %d names no test", number+1, row)
		}
		for _, name := range named {
			if err := exists(sources, name[1], name[2], name[3]); err != nil {
				t.Errorf("THREATS.md:%d: %v", number+1, err)
			}
		}
	}
	for _, row := range rows {
		if lines[row] != 1 {
			t.Errorf("THREATS.md answers row %d %d times, want once", row, lines[row])
		}
	}
}

// rowOf reads the number of a line of a table.
func rowOf(line string) (int, bool) {
	cells := strings.Split(line, "|")
	if len(cells) < 3 {
		return 0, false
	}
	row, err := strconv.Atoi(strings.TrimSpace(cells[1]))
	return row, err == nil
}

// exists looks for a test, and a case of it, in a folder's sources: suites are no test files.
func exists(sources map[string]string, folder, test, one string) error {
	source, read := sources[folder]
	if !read {
		files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
		if err != nil || len(files) == 0 {
			return fmt.Errorf("%s: no such package", folder)
		}
		var all strings.Builder
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			all.Write(text)
		}
		source = all.String()
		sources[folder] = source
	}
	if !strings.Contains(source, "\nfunc "+test+"(") {
		return fmt.Errorf("%s has no test %s", folder, test)
	}
	if one != "" && !strings.Contains(source, strconv.Quote(one)) {
		return fmt.Errorf("%s of %s has no case %q", test, folder, one)
	}
	return nil
}

// TestLocksStand is the cheap half of `make locks`: every check is still there, every test exists.
func TestLocksStand(t *testing.T) {
	t.Parallel()
	locks, err := security.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	sources := make(map[string]string)
	for i := range locks {
		l := &locks[i]
		if _, err := l.TakenOff(root); err != nil {
			t.Errorf("%s: %v", l.Area, err)
		}
		test, one, _ := strings.Cut(l.Test, "/")
		if err := exists(sources, l.Package, test, one); err != nil {
			t.Errorf("%s: lock %q: %v", l.Area, l.Name, err)
		}
	}
}
