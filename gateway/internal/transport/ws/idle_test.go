package ws_test

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/fliliy/chat/gateway/internal/transport/ws"
)

// BenchmarkIdleConnections holds 2,000 connections on which nothing happens, with the clients' raw sockets in the same
// process, and reports the resident memory of each. Run it alone, with -benchtime=1x.
func BenchmarkIdleConnections(b *testing.B) {
	const connections = 2000
	for b.Loop() {
		served := make(chan struct{}, connections)
		r := newRig(b, ws.Options{Serve: func(ctx context.Context, c *ws.Conn, _ ws.Handshake) {
			served <- struct{}{}
			for {
				if _, err := c.Read(ctx); err != nil {
					return
				}
			}
		}})
		before := resident(b)
		clients := make([]*wire, connections)
		for i := range clients {
			clients[i] = dialWire(b, r)
			clients[i].br = nil // 4 KiB that are the client's, not ours
		}
		for range clients {
			<-served
		}
		b.ReportMetric(float64(resident(b)-before)/connections/1024, "KiB/conn")
		b.ReportMetric(float64(runtime.NumGoroutine())/connections, "goroutines/conn")
		runtime.KeepAlive(clients)
	}
}

// resident is the resident memory of this process in bytes, garbage given back.
func resident(b *testing.B) int64 {
	b.Helper()
	debug.FreeOSMemory()
	stat, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatalf("resident memory: %v", err)
	}
	pages, err := strconv.ParseInt(string(bytes.Fields(stat)[1]), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
