package faults_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/fliliy/chat/deploy/faults"
)

func clean() *faults.Result {
	return &faults.Result{
		Options: faults.Default(),
		Rows:    []faults.RowResult{{Row: 1, Fault: "gateway killed", Bar: "<= 5 s", Measured: "1 s", OK: true}},
		Report:  faults.Check(faults.NewHistory(), nil),
	}
}

func TestResultSaysWhetherThePromiseWasKept(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name        string
		spoil       func(*faults.Result)
		kept, clean bool
	}{
		{"all well", func(*faults.Result) {}, true, true},
		{"a bar missed", func(r *faults.Result) { r.Rows[0].OK = false }, true, false},
		{"a fault that failed", func(r *faults.Result) { r.Rows[0].Failed, r.Rows[0].OK = errors.New("no"), false }, false, false},
		{"unsettled", func(r *faults.Result) { r.Unsettled = errors.New("late") }, false, false},
		{"broken", func(r *faults.Result) { r.Broken = errors.New("a client ended") }, false, false},
		{"a violation", func(r *faults.Result) { r.Report.Counts[faults.Lost] = 1 }, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := clean()
			tc.spoil(r)
			if r.Kept() != tc.kept || r.Clean() != tc.clean {
				t.Errorf("Kept %t, Clean %t; want %t, %t", r.Kept(), r.Clean(), tc.kept, tc.clean)
			}
		})
	}
}

func TestResultIsPrinted(t *testing.T) {
	t.Parallel()
	r := clean()
	r.Rows = append(r.Rows, faults.RowResult{Row: 2, Fault: "chatsvc killed", Measured: "two\nlines", Failed: errors.New("x")})
	r.Logs, r.Seed = "/somewhere", 42
	var text, page strings.Builder
	if err := r.Write(&text); err != nil {
		t.Fatal(err)
	}
	if err := r.Markdown(&page, []string{"commit: abc"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"gateway killed", "yes", "chatsvc killed", "two lines", "NO", "seed 42", "/somewhere", "0 lost"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, text.String())
		}
	}
	for _, want := range []string{"seed 42", "- commit: abc", "| 1 | gateway killed | <= 5 s | 1 s | yes |", "two lines | NO |", "| lost |"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, page.String())
		}
	}
}
