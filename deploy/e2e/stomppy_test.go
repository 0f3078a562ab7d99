package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os/exec"
	"strconv"
	"testing"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
)

// pythonReport is what interop/chat.py prints.
type pythonReport struct {
	Version, Live, Bye string
	Receipts           []map[string]string
	Messages           []seen
	Errors             int
}

// TestStompPy chats with Debian's stomp.py 8.0. It speaks TCP only, so a small pipe of this test stands between it and the
// gateway's WebSocket, which passes bytes on and understands none of them.
func TestStompPy(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		alice := s.people(t, "alice")[0]
		room := s.room(t, alice)
		lines := []string{"hello from Python", "第二 🚲", "a\nb: c\\d"}
		orders, err := json.Marshal(map[string]any{
			"port": pipeToWebSocket(t, s.wsURL(0)), "user": alice.id, "token": alice.token, "room": room, "lines": lines,
			"patience": patience.Seconds(),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
		defer cancel()
		python := exec.CommandContext(ctx, "/usr/bin/python3", "chat.py") // Debian's, which has the package
		python.Dir, python.Stdin = "interop", bytes.NewReader(orders)
		var stderr bytes.Buffer
		python.Stderr = &stderr
		out, err := python.Output()
		if err != nil {
			t.Fatalf("python3 chat.py: %v (`make setup` installs python3-stomp)\n%s", err, stderr.Bytes())
		}
		var report pythonReport
		if err := json.Unmarshal(out, &report); err != nil {
			t.Fatalf("python3 chat.py printed no report: %v\n%s", err, out)
		}
		if report.Version != "1.2" || report.Live != "live" || report.Bye != "bye" || report.Errors != 0 {
			t.Errorf("the session went otherwise: %+v", report)
		}
		history := s.history(t, alice, room)
		if diff := cmp.Diff(history, bodies(t, report.Messages)); diff != "" {
			t.Errorf("stomp.py received something else than the history (-history +received):\n%s", diff)
		}
		for i, line := range lines {
			event := history[i].(map[string]any)
			if event["content"] != line || report.Receipts[i]["receipt-id"] != "send-"+strconv.Itoa(i) ||
				report.Receipts[i]["message-id"] != event["messageId"] {
				t.Errorf("line %d, %q: event %v, receipt %v", i, line, event, report.Receipts[i])
			}
		}
	})
}

// pipeToWebSocket listens for one TCP connection and pipes it to a WebSocket; it returns the port.
func pipeToWebSocket(t *testing.T, url string) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	done := make(chan struct{})
	go func() {
		defer close(done)
		pipe(ctx, t, listener, url)
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return listener.Addr().(*net.TCPAddr).Port
}

func pipe(ctx context.Context, t *testing.T, listener net.Listener, url string) {
	plain, err := listener.Accept()
	if err != nil {
		return // nobody came
	}
	defer func() { _ = plain.Close() }()
	socket, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{Subprotocols: []string{"v12.stomp"}})
	if err != nil {
		t.Errorf("dial %s: %v", url, err)
		return
	}
	defer func() { _ = socket.CloseNow() }()
	go func() {
		defer func() { _ = plain.Close() }()
		for {
			_, p, err := socket.Read(ctx)
			if err != nil {
				return
			}
			if _, err := plain.Write(p); err != nil {
				return
			}
		}
	}()
	buffer := make([]byte, 4<<10)
	for {
		n, err := plain.Read(buffer)
		if err != nil {
			return
		}
		// Binary: a read may end within a character.
		if err := socket.Write(ctx, websocket.MessageBinary, buffer[:n]); err != nil {
			return
		}
	}
}
