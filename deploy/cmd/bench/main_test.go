package main

import (
	"io"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, args, bad string
		want            func(*asked) bool
	}{
		{name: "nothing", want: func(a *asked) bool {
			return len(a.options.Rows) >= 9 && a.options.Times == 3 && !a.options.Peers && a.results == ""
		}},
		{name: "one row", args: "--only fan-out --times 1 --peers --results x/y --profiles p", want: func(a *asked) bool {
			o := a.options
			return len(o.Rows) == 1 && o.Rows[0].Name == "fan-out" && o.Times == 1 && o.Peers && o.Profiles == "p" && a.results == "x/y"
		}},
		{name: "growth", args: "--growth --only gateways-4,soak", want: func(a *asked) bool {
			o := a.options
			return len(o.Rows) == 2 && o.Rows[0].Size.Gateways == 4 && o.Rows[1].Leaks
		}},
		{name: "environment", args: "--env GOGC=50 --env A=b=c", want: func(a *asked) bool {
			return len(a.options.Env) == 2 && a.options.Env[1] == "A=b=c"
		}},
		{name: "no environment", args: "--env GOGC", bad: "NAME=VALUE"},
		{name: "no such row", args: "--only fan-in", bad: "fan-in"},
		{name: "no such row of growth", args: "--growth --only fan-out", bad: "gateways-1"},
		{name: "no runs", args: "--times 0", bad: "--times"},
		{name: "an argument", args: "fan-out", bad: "fan-out"},
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
