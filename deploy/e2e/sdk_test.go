package e2e_test

import (
	"context"
	"os/exec"
	"testing"
)

// sdk is the folder of the client library.
const sdk = root + "/gateway/web/sdk"

// TestSDKAlone runs the client library's own tests, types included, against servers in memory.
func TestSDKAlone(t *testing.T) {
	t.Parallel()
	npm(t, "test")
}

// npm runs a script of the client library's package.
func npm(t *testing.T, script string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 6*patience)
	defer cancel()
	run := exec.CommandContext(ctx, "npm", "run", "--silent", script)
	run.Dir = sdk
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("npm run %s: %v\n%s", script, err, out)
	}
	return out
}
