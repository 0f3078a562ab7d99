package faults

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
	"github.com/fliliy/chat/proto/identity"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func TestClusterComesUpSurvivesAKillAndGoes(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c, err := startCluster(t.Context(), folder, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	t.Cleanup(func() {
		if !stopped {
			_ = c.stop()
		}
	})
	for _, g := range c.gateways {
		if !g.ready(t.Context()) {
			t.Errorf("%s is not ready", g.name)
		}
	}
	for _, r := range c.replicas {
		conn, err := grpc.NewClient(r.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		_, err = chatv1.NewChatServiceClient(conn).ListRooms(
			identity.WithUser(context.WithoutCancel(t.Context()), "alice"), &chatv1.ListRoomsRequest{})
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
		}
		_ = conn.Close()
	}
	c.gateways[0].kill()
	if c.gateways[0].ready(t.Context()) {
		t.Error("a killed gateway is ready")
	}
	if err := c.gateways[0].restart(t.Context()); err != nil {
		t.Error(err)
	}
	if n, err := c.gateways[0].metric(t.Context(), "go_goroutines"); err != nil || n < 1 {
		t.Errorf("metric: %v, %v", n, err)
	}
	stopped = true
	if err := c.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	for _, name := range []string{"gateway0", "gateway1", "chatsvc0", "chatsvc1", "nats-server"} {
		if log, err := os.ReadFile(filepath.Join(folder, name+".log")); err != nil || len(log) == 0 {
			t.Errorf("log of %s: %d bytes, %v", name, len(log), err)
		} else if strings.Contains(string(log), "panic:") {
			t.Errorf("%s panicked:\n%s", name, log)
		}
	}
}

func TestClusterRefusesSenselessSizes(t *testing.T) {
	t.Parallel()
	for _, size := range [][2]int{{0, 1}, {1, 0}, {maxNodes + 1, 1}} {
		if c, err := startCluster(t.Context(), t.TempDir(), size[0], size[1]); err == nil {
			_ = c.stop()
			t.Errorf("%d gateways and %d replicas: no error", size[0], size[1])
		}
	}
}
