package redistest_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fliliy/chat/gateway/redistest"
)

func TestServer(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = client.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	if err := client.Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Fatalf("SET on a fresh server: %v", err)
	}
	addr := server.Addr()

	server.Kill()
	if conn, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
		_ = conn.Close()
		t.Error("the server still accepts connections after Kill")
	}
	if server.Pid() != 0 {
		t.Errorf("Pid() = %d after Kill, want 0", server.Pid())
	}

	if err := server.Restart(); err != nil {
		t.Fatalf("Restart: %v", err)
	}
	if server.Addr() != addr {
		t.Errorf("Addr() = %s after Restart, want %s", server.Addr(), addr)
	}
	if n, err := client.Exists(ctx, "k").Result(); err != nil || n != 0 {
		t.Errorf("EXISTS after Restart = %d, %v, want an empty server", n, err)
	}

	server.Stop()
	server.Stop()
	if err := client.Ping(ctx).Err(); err == nil {
		t.Error("the server still answers after Stop")
	}
}

func TestServersDoNotShareAPort(t *testing.T) {
	t.Parallel()
	a, b := redistest.New(t), redistest.New(t)
	if a.Addr() == b.Addr() {
		t.Errorf("two servers at %s", a.Addr())
	}
}
