package compose_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/fliliy/chat/proto/subject"
)

// startNATS runs nats-server in process with the file and the environment the container would get.
func startNATS(t *testing.T, gatewayPassword, chatsvcPassword string) string {
	t.Helper()
	environment := interpolated(t, readCompose(t).Services["nats"], map[string]string{
		"NATS_GATEWAY_PASSWORD": gatewayPassword, "NATS_CHATSVC_PASSWORD": chatsvcPassword,
	})
	for name, value := range environment {
		t.Setenv(name, value)
	}
	opts, err := server.ProcessConfigFile(filepath.Join(root, "deploy/compose/nats.conf"))
	if err != nil {
		t.Fatalf("nats.conf: %v", err)
	}
	opts.Host, opts.Port, opts.HTTPPort = "127.0.0.1", server.RANDOM_PORT, 0
	opts.NoSigs, opts.NoLog = true, true
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatalf("nats-server: %v", err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("nats-server is not ready")
	}
	return s.ClientURL()
}

// login connects as a user; what the server forbids comes out of the channel.
func login(t *testing.T, url, user, password string) (*nats.Conn, <-chan error) {
	t.Helper()
	forbidden := make(chan error, 16)
	conn, err := nats.Connect(url, nats.UserInfo(user, password),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { forbidden <- err }))
	if err != nil {
		t.Fatalf("connect as %s: %v", user, err)
	}
	t.Cleanup(conn.Close)
	return conn, forbidden
}

// Gateways subscribe only, the chat service publishes only (DESIGN section 4), each under its own password.
func TestThreat17NATSPermissions(t *testing.T) {
	url := startNATS(t, "gatewaypassword", "chatsvcpassword")
	gateway, gatewayForbidden := login(t, url, "gateway", "gatewaypassword")
	chatsvc, chatsvcForbidden := login(t, url, "chatsvc", "chatsvcpassword")

	events := make(chan *nats.Msg, 16)
	for _, name := range []string{subject.Room(42), subject.User("a:*>"), subject.Heads} {
		if _, err := gateway.ChanSubscribe(name, events); err != nil {
			t.Fatalf("gateway subscribes to %s: %v", name, err)
		}
		flush(t, gateway)
		if err := chatsvc.Publish(name, []byte("event")); err != nil {
			t.Fatalf("chatsvc publishes on %s: %v", name, err)
		}
		if got := receive(t, "an event on "+name, events); got.Subject != name {
			t.Errorf("got %s, want %s", got.Subject, name)
		}
	}

	if err := gateway.Publish(subject.Room(42), []byte("forged")); err != nil {
		t.Fatalf("publish: %v", err)
	}
	flush(t, gateway)
	wantForbidden(t, gatewayForbidden, "Publish", subject.Room(42))
	for _, name := range []string{">", "chat.v2.room.1", "$SYS.>"} {
		if _, err := gateway.SubscribeSync(name); err != nil {
			t.Fatalf("subscribe: %v", err)
		}
		flush(t, gateway)
		wantForbidden(t, gatewayForbidden, "Subscription", name)
	}
	if err := chatsvc.Publish("other.subject", nil); err != nil {
		t.Fatalf("publish: %v", err)
	}
	flush(t, chatsvc)
	wantForbidden(t, chatsvcForbidden, "Publish", "other.subject")
	if _, err := chatsvc.SubscribeSync(subject.Room(42)); err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	flush(t, chatsvc)
	wantForbidden(t, chatsvcForbidden, "Subscription", subject.Room(42))
	if len(events) > 0 {
		t.Errorf("the forged event arrived: %q", (<-events).Data)
	}
}

func TestThreat17NATSRefusesStrangers(t *testing.T) {
	url := startNATS(t, "gatewaypassword", "chatsvcpassword")
	for _, c := range []struct{ name, user, password string }{
		{"nobody", "", ""},
		{"wrong password", "gateway", "chatsvcpassword"},
		{"unknown user", "admin", "gatewaypassword"},
		{"the variable's name as password", "gateway", "$NATS_GATEWAY_PASSWORD"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := nats.Connect(url, nats.UserInfo(c.user, c.password))
			if !errors.Is(err, nats.ErrAuthorization) {
				t.Errorf("connect = %v, want %v", err, nats.ErrAuthorization)
			}
			if err == nil {
				conn.Close()
			}
		})
	}
}

// NATS reads the value of a variable as configuration: digits would be a number, and "1e5" or "10k" another one.
func TestNATSTakesAnyHexPassword(t *testing.T) {
	for _, password := range []string{"12345678", "1e5", "10k", "true", "0123abcd", strings.Repeat("9", 64)} {
		t.Run(password, func(t *testing.T) {
			url := startNATS(t, password, "other"+password)
			login(t, url, "gateway", password)
		})
	}
}

func flush(t *testing.T, conn *nats.Conn) {
	t.Helper()
	if err := conn.FlushTimeout(30 * time.Second); err != nil {
		t.Fatalf("flush: %v", err)
	}
}

func wantForbidden(t *testing.T, forbidden <-chan error, what, name string) {
	t.Helper()
	err := receive(t, fmt.Sprintf("the refusal of %s %s", what, name), forbidden)
	if !errors.Is(err, nats.ErrPermissionViolation) || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), name) {
		t.Errorf("%v, want a permissions violation for %s to %s", err, what, name)
	}
}

func receive[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	select {
	case got := <-from:
		return got
	case <-deadline.C:
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}
