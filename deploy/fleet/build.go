package fleet

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// The programs that Build makes.
const (
	Gateway = "gateway"
	Chatsvc = "chatsvc"
	NATS    = "nats-server"
)

// Build makes the three programs in a folder from the source this package belongs to, with the build tags given, such
// as faultpoints. It needs the go command, and to run inside the repository. With the build cache warm it takes about a
// second.
func Build(ctx context.Context, folder string, tags ...string) error {
	//nolint:gosec // G204: our own packages
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", strings.Join(tags, ","),
		"-o", folder+string(filepath.Separator),
		"github.com/fliliy/chat/gateway/cmd/gateway", "github.com/fliliy/chat/chatsvc/cmd/chatsvc",
		"github.com/nats-io/nats-server/v2")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs (run this inside the repository): %w\n%s", err, out)
	}
	return nil
}
