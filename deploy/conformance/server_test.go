package conformance_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"github.com/fliliy/chat/gateway"
)

// The server under test. Without -addr it is the gateway's own conformance broker.
var (
	addr  = flag.String("addr", "", "URL of a STOMP server's WebSocket, such as ws://127.0.0.1:15674/ws; login guest, guest")
	stomp string // its URL
	echo  string // URL of the WebSocket echo; "" where the server has none
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *addr != "" {
		stomp = *addr
		os.Exit(m.Run())
	}
	os.Exit(runOnOwnBroker(m))
}

func runOnOwnBroker(m *testing.M) int {
	ctx, stop := context.WithCancel(context.Background())
	broker, err := gateway.NewConformance(ctx, "127.0.0.1:0", slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		return 1
	}
	done := make(chan error, 1)
	go func() { done <- broker.Run(ctx) }()
	stomp, echo = "ws://"+broker.Addr()+"/ws", "ws://"+broker.Addr()+"/ws-echo"
	code := m.Run()
	stop()
	if err := <-done; err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
