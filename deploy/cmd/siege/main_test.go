package main

import (
	"context"
	"io"
	"strings"
	"testing"
)

func TestBadFlags(t *testing.T) {
	t.Parallel()
	for args, says := range map[string]string{
		"now": "now", "--env GOGC": "NAME=VALUE", "--honest 0": "at least 1", "--silent -1": "at least 0", "--pause 0s": "more than 0", "--abuse 0s": "more than 0",
	} {
		if err := run(context.Background(), strings.Fields(args), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("siege %s: %v, want an error with %q", args, err, says)
		}
	}
}
