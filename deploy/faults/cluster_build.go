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
	for program, pkg := range map[string]string{
		gatewayProgram: "github.com/fliliy/chat/gateway/cmd/gateway",
		chatsvcProgram: "github.com/fliliy/chat/chatsvc/cmd/chatsvc",
		natsProgram:    "github.com/nats-io/nats-server/v2",
	} {
		//nolint:gosec // G204: our own packages
		cmd := exec.CommandContext(ctx, "go", "build", "-tags", "faultpoints", "-o", filepath.Join(folder, program), pkg)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s (run this inside the repository): %w\n%s", pkg, err, out)
		}
	}
	return nil
}
