package gateway_test

import (
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/fliliy/chat/gateway"
	"github.com/fliliy/chat/gateway/internal/stomp"
)

const (
	subscribe = "SUBSCRIBE\nid:s\ndestination:/topic/chat/42\nreceipt:live\n"
	sendTo42  = "SEND\ndestination:/app/chat/42/send\nreceipt:r\n\n"
)

func TestSessionEndToEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	if status, body := r.ask("GET", "http://"+r.Addr()+"/readyz"); status != 200 || body != `{"ready":true}` {
		t.Errorf("readyz = %d %s", status, body)
	}
	alice, bob := r.connect("alice"), r.connect("bob")
	for _, c := range []*client{alice, bob} {
		c.send(subscribe + "\n")
		c.want(stomp.CmdReceipt, "receipt-id", "live")
	}
	alice.send(sendTo42 + "hello")
	e := bob.want(stomp.CmdMessage, "seq", "1")
	if !strings.Contains(string(e.Body), `"content":"hello"`) || e.Header.Get("subscription") != "s" {
		t.Errorf("bob got %v %s", e.Header, e.Body)
	}
	// The order of an own message and its receipt is open.
	seen := map[string]bool{}
	for range 2 {
		f := alice.next()
		seen[f.Command+" "+f.Header.Get("receipt-id")+" "+f.Header.Get("message-id")+" "+f.Header.Get("seq")] = true
	}
	if !seen["RECEIPT r 42-1 1"] || !seen["MESSAGE  42-1 1"] {
		t.Errorf("alice got %v, want her message and its receipt", seen)
	}
	carol := r.connect("carol")
	carol.send(subscribe + "last-seq:0\n\n")
	carol.want(stomp.CmdMessage, "seq", "1")
	carol.want(stomp.CmdReceipt, "receipt-id", "live")
}

func TestDrainOnStop(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	c := r.connect("alice")
	c.send("SUBSCRIBE\nid:e\ndestination:/user/queue/errors\nreceipt:live\n\n")
	c.want(stomp.CmdReceipt, "receipt-id", "live")
	r.stop()
	c.want(stomp.CmdMessage, "event", "DRAIN")
	if _, err := c.read(); websocket.CloseStatus(err) != websocket.StatusServiceRestart {
		t.Errorf("the session ended with %v, want close code 1012", err)
	}
	if err := r.wait(); err != nil {
		t.Errorf("Run = %v after a stop, want nil", err)
	}
}

// The same without a stop: the process stays, to be looked at, until it is stopped.
func TestDrainOnRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.Limits.DrainTime = 3 * time.Second
	r.start()
	clients := make([]*client, 20)
	for i := range clients {
		clients[i] = r.connect(fmt.Sprint("user", i))
		clients[i].send(subscribe + "\n")
		clients[i].want(stomp.CmdReceipt, "receipt-id", "live")
	}
	for range 2 {
		if status, body := r.ask("POST", "http://"+r.AdminAddr()+"/drain"); status != 202 || !strings.Contains(body, "draining") {
			t.Errorf("POST /drain = %d %s", status, body)
		}
	}
	// Each client's SEND of every moment is answered, or the close comes first; and none is told an error.
	var all sync.WaitGroup
	for _, c := range clients {
		all.Go(func() { c.sendUntilClosed() })
	}
	all.Wait()
	r.eventually("all sessions have gone", func() bool {
		status, body := r.ask("GET", "http://"+r.AdminAddr()+"/readyz")
		return status == 503 && strings.Contains(body, `"sessions":0`)
	})
	if status, body := r.ask("GET", "http://"+r.Addr()+"/ws/websocket"); status != 503 || !strings.Contains(body, "UNAVAILABLE") {
		t.Errorf("a new client gets %d %s, want 503", status, body)
	}
	r.stop()
	if err := r.wait(); err != nil {
		t.Errorf("Run = %v after a stop, want nil", err)
	}
}

// sendUntilClosed sends with receipts, one at a time, until the gateway closes.
func (c *client) sendUntilClosed() {
	for {
		if err := c.ws.Write(c.t.Context(), websocket.MessageText, []byte(sendTo42+"x\x00")); err != nil {
			return
		}
		for {
			f, err := c.read()
			if err != nil {
				if got := websocket.CloseStatus(err); got != websocket.StatusServiceRestart {
					c.t.Errorf("the session ended with %v, want close code 1012", err)
				}
				return
			}
			if f.Command == stomp.CmdError {
				c.t.Errorf("the client was told %v", f.Header)
			}
			if f.Command == stomp.CmdReceipt {
				break
			}
		}
	}
}

func TestOutcomesInFlightAreToldBeforeAStop(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.Limits.DrainTime = time.Second
	r.service.gate = make(chan struct{})
	r.start()
	c := r.connect("alice")
	for n := range 50 {
		c.send(fmt.Sprintf("SEND\ndestination:/app/chat/42/send\nreceipt:%d\n\nx", n))
	}
	r.eventually("all are with the chat service", func() bool {
		_, body := r.ask("GET", "http://"+r.AdminAddr()+"/metrics")
		return strings.Contains(body, "fliliy_gateway_relay_in_flight 50\n")
	})
	r.stop()
	close(r.service.gate)
	for n := range 50 {
		if f := c.next(); f.Command != stomp.CmdReceipt || f.Header.Get("receipt-id") != fmt.Sprint(n) {
			t.Fatalf("got %s %v, want receipt %d", f.Command, f.Header, n)
		}
	}
	if err := r.wait(); err != nil {
		t.Errorf("Run = %v", err)
	}
}

// Without Redis people still chat: operators see it, load balancers do not.
func TestRedisAwayIsDegraded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.redis.Close()
	r.start()
	r.eventually("Redis is shown as degraded", func() bool {
		status, body := r.ask("GET", "http://"+r.AdminAddr()+"/readyz")
		return status == 200 && strings.Contains(body, `"degraded":[{"name":"redis"`)
	})
	if status, body := r.ask("GET", "http://"+r.Addr()+"/readyz"); status != 200 || body != `{"ready":true}` {
		t.Errorf("public readyz = %d %s", status, body)
	}
	c := r.connect("alice")
	c.send(sendTo42 + "hello")
	c.want(stomp.CmdReceipt, "message-id", "42-1")
}

func TestTakenPortIsAnError(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	r := newRig(t)
	r.cfg.Addr = taken.Addr().String()
	_, err = gateway.New(r.cfg)
	if err == nil || !strings.Contains(err.Error(), r.cfg.Addr) || !strings.Contains(err.Error(), "FLILIY_GATEWAY_ADDR") {
		t.Errorf("New = %v, want an error that names the address and its variable", err)
	}
}

// A gateway leaves nothing behind. Not parallel: it looks at all goroutines.
func TestStopLeavesNoGoroutine(t *testing.T) {
	r := newRig(t)
	before := gatewayGoroutines()
	r.start()
	c := r.connect("alice")
	c.send(subscribe + "\n")
	c.want(stomp.CmdReceipt, "receipt-id", "live")
	r.stop()
	if err := r.wait(); err != nil {
		t.Errorf("Run = %v", err)
	}
	var left []string
	r.eventually("nothing of the gateway runs any more", func() bool {
		left = gatewayGoroutines()
		return len(left) <= len(before)
	})
}

// gatewayGoroutines returns the stacks of all goroutines in code of the gateway, but for tests.
func gatewayGoroutines() []string {
	buffer := make([]byte, 4<<20)
	var ours []string
	for _, stack := range strings.Split(string(buffer[:runtime.Stack(buffer, true)]), "\n\n") {
		if strings.Contains(stack, "chat/gateway.") || strings.Contains(stack, "chat/gateway/internal/") {
			ours = append(ours, stack)
		}
	}
	return ours
}

// Fault 20: with NATS a revocation closes the user's sessions in a moment; old tokens are refused everywhere from then on,
// new ones are not.
func TestRevocationEndToEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	alice, bob := r.connect("alice"), r.connect("bob")
	old, err := gateway.SignToken(secret, "alice", time.Hour) // before the next second begins, whenever that is
	if err != nil {
		t.Fatal(err)
	}
	r.service.revoke("alice", time.Now().Truncate(time.Second).Add(time.Second), "password changed")
	if f := alice.next(); f.Command != stomp.CmdError || f.Header.Get("code") != "UNAUTHENTICATED" ||
		string(f.Body) != "password changed" {
		t.Errorf("alice got %s %v %q", f.Command, f.Header, f.Body)
	}
	if _, err := alice.read(); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("alice's session ended with %v, want close code 1008", err)
	}
	for _, path := range []string{"/ws?token=" + old, "/api/v1/chat-rooms"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.Addr()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header = http.Header{
			"Authorization": {"Bearer " + old}, "Connection": {"Upgrade"}, "Upgrade": {"websocket"},
			"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s with an old token = %s, want 401", path, response.Status)
		}
	}
	bob.send(sendTo42 + "hello")
	bob.want(stomp.CmdReceipt, "message-id", "42-1")
	r.eventually("a token of the next second is good", func() bool {
		fresh, err := gateway.SignToken(secret, "alice", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		//nolint:bodyclose // a successful upgrade has no body
		ws, _, err := websocket.Dial(t.Context(), "ws://"+r.Addr()+"/ws?token="+fresh, nil)
		if err == nil {
			_ = ws.CloseNow()
		}
		return err == nil
	})
}
