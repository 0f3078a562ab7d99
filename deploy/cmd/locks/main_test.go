package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestRunRefusesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no such lock":         {[]string{"--root", "../../..", "--only", "no such lock"}, "no lock has such a name"},
		"no expression":        {[]string{"--only", "("}, "read --only"},
		"no repository":        {[]string{"--root", t.TempDir()}, "no locks in"},
		"an argument too many": {[]string{"--many"}, "not defined"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if err := run(t.Context(), tc.args, &out); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q in it", err, tc.want)
			}
		})
	}
}
