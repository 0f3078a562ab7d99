package conformance_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/fliliy/chat/deploy/fleet"
	"github.com/fliliy/chat/gateway"
)

// The server under test. Without -addr or -rabbitmq it is the gateway's own conformance broker.
var (
	addr        = flag.String("addr", "", "URL of a STOMP server's WebSocket, such as ws://127.0.0.1:15674/ws; login guest, guest")
	rabbitmq    = flag.Bool("rabbitmq", false, "start Debian's RabbitMQ, and hold it against the standards")
	differences = flag.String("differences", "", "write what differs to this file, as a page, instead of failing")

	stomp string // its URL
	echo  string // URL of the WebSocket echo; "" where the server has none
)

const patience = 30 * time.Second

// patienceWith is how long to wait for what has to come; a stranger that does not do it is a finding, not a bug to
// wait for.
func patienceWith(ours time.Duration) time.Duration {
	if strange() {
		return 5 * time.Second
	}
	return ours
}

// strange says whether the server is none of ours.
func strange() bool { return *addr != "" || *rabbitmq }

func TestMain(m *testing.M) {
	flag.Parse()
	stop, err := start(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if *differences != "" {
		err = writeDifferences(*differences)
	}
	if err := errors.Join(err, stop()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// start starts the server, unless it runs already.
func start(ctx context.Context) (stop func() error, err error) {
	switch {
	case *addr != "":
		stomp = *addr
		return func() error { return nil }, nil
	case *rabbitmq:
		return startRabbit(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	broker, err := gateway.NewConformance(ctx, "127.0.0.1:0", slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		cancel()
		return nil, err
	}
	done := make(chan error, 1)
	go func() { done <- broker.Run(ctx) }()
	stomp, echo = "ws://"+broker.Addr()+"/ws", "ws://"+broker.Addr()+"/ws-echo"
	return func() error {
		cancel()
		return <-done
	}, nil
}

func startRabbit(ctx context.Context) (stop func() error, err error) {
	logs, err := os.MkdirTemp("", "fliliy-conformance-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for RabbitMQ's logs: %w", err)
	}
	rabbit, err := fleet.StartRabbit(ctx, logs)
	if err != nil {
		return nil, err
	}
	stomp = fmt.Sprintf("ws://%s/ws", rabbit.Web())
	return func() error { return errors.Join(rabbit.Stop(), os.RemoveAll(logs)) }, nil
}
