package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fliliy/chat/deploy/faults"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		args string
		bad  string // what the error names
		want func(asked) bool
	}{
		{name: "nothing", want: func(a asked) bool {
			return a.options.Seed == faults.Default().Seed && slices.Equal(a.options.Rows, faults.Rows()) && a.markdown == ""
		}},
		{
			name: "everything",
			args: "--seed 7 --duration 90s --only 26,1 --clients 9 --rooms 3 --rooms-each 2 --rate 5 --gateways 3 --replicas 4 --markdown x",
			want: func(a asked) bool {
				o := a.options
				return o.Seed == 7 && o.Duration == 90*time.Second && slices.Equal(o.Rows, []int{26, 1}) && o.Clients == 9 &&
					o.Rooms == 3 && o.RoomsEach == 2 && o.Rate == 5 && o.Gateways == 3 && o.Replicas == 4 && a.markdown == "x"
			},
		},
		{name: "a row that is none", args: "--only 8", bad: "8"},
		{name: "no number", args: "--seed x", bad: "seed"},
		{name: "an argument", args: "now", bad: "now"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := parse(strings.Fields(tc.args), io.Discard)
			if tc.bad != "" {
				if err == nil || !strings.Contains(err.Error(), tc.bad) {
					t.Fatalf("error %v, want one that names %q", err, tc.bad)
				}
				return
			}
			if err != nil || !tc.want(got) {
				t.Errorf("parse = %+v, %v", got, err)
			}
		})
	}
}

func TestMarkdownTellsHowItWasMade(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "result.md")
	result := &faults.Result{Options: faults.Default(), Report: faults.Check(faults.NewHistory(), nil)}
	if err := writeMarkdown(t.Context(), path, []string{"--seed", "7"}, result); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"- machine: ", " cores", "- commit: ", "- command: `faults --seed 7`", "- date: 20"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if err := writeMarkdown(t.Context(), filepath.Join(t.TempDir(), "no", "such", "folder"), nil, result); err == nil {
		t.Error("no error when the file cannot be written")
	}
}
