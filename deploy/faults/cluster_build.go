package faults

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// The programs of a cluster, built from the source this package belongs to.
const (
	gatewayProgram = "gateway"
	chatsvcProgram = "chatsvc"
	natsProgram    = "nats-server"
)

// build makes the three programs in a folder, chatsvc with its fault points. It needs the go command, and to run
// inside the repository. With the build cache warm it takes about a second.
func build(ctx context.Context, folder string) error {
	//nolint:gosec // G204: our own packages
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "faultpoints", "-o", folder+string(filepath.Separator),
		"github.com/fliliy/chat/gateway/cmd/gateway", "github.com/fliliy/chat/chatsvc/cmd/chatsvc",
		"github.com/nats-io/nats-server/v2")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs (run this inside the repository): %w\n%s", err, out)
	}
	return nil
}
