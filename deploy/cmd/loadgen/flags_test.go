package main

import (
	"bytes"
	"context"
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
		{name: "the least", args: "--server 127.0.0.1:8080", want: func(a *asked) bool {
			o := a.options
			return len(o.Servers) == 1 && o.Scenario.Name == "fan-out" && o.Target.Name == "fliliy" && len(o.Worker) == 2
		}},
		{
			name: "everything",
			args: "--server 127.0.0.1:1 --server localhost:2 --scenario connect --target rabbitmq --secret s --process a=1 --process a=2 " +
				"--process b=3 --source 127.0.0.2 --per-worker 5 --json j --html h",
			want: func(a *asked) bool {
				o := a.options
				return len(o.Servers) == 2 && o.Servers[1].Port() == 2 && o.Scenario.Name == "connect" && o.Target.Name == "rabbitmq" &&
					o.Secret == "s" && len(o.Processes["a"]) == 2 && len(o.Processes["b"]) == 1 && o.Sources[0].String() == "127.0.0.2" &&
					o.PerWorker == 5 && a.json == "j" && a.html == "h"
			},
		},
		{name: "no server", args: "--scenario connect", bad: "--server"},
		{name: "no such scenario", args: "--server 127.0.0.1:1 --scenario x", bad: `"x"`},
		{name: "no such target", args: "--server 127.0.0.1:1 --target y", bad: `"y"`},
		{name: "no process id", args: "--process gateway", bad: "name=pid"},
		{name: "no address", args: "--source ::1", bad: "IPv4"},
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

func TestList(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(context.Background(), []string{"--list"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"scenario fan-out ", "scenario idle ", "target   rabbitmq "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the list lacks %q:\n%s", want, &out)
		}
	}
}
