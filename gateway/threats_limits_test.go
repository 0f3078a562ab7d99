package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/fliliy/chat/gateway/config"
	"github.com/fliliy/chat/gateway/internal/stomp"
)

// attack opens a connection as alice, sends messages, and returns the code that it is closed with and the message header
// of the last ERROR.
func (r *rig) attack(send func(context.Context, *websocket.Conn)) (websocket.StatusCode, string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	//nolint:bodyclose // a successful upgrade has no body
	conn, _, err := websocket.Dial(ctx, "ws://"+r.Addr()+"/ws?token="+r.token("alice"), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(1 << 20)
	go send(ctx, conn)
	decoder, failure := stomp.NewDecoder(stomp.DefaultLimits), ""
	decoder.SetVersion(stomp.V12)
	for {
		_, message, err := conn.Read(ctx)
		if err != nil {
			var closed websocket.CloseError
			if !errors.As(err, &closed) {
				r.t.Errorf("the connection ended with %v, want a close", err)
			}
			return closed.Code, failure
		}
		decoder.Feed(message)
		for f, err := decoder.Next(); f != nil && err == nil; f, err = decoder.Next() {
			if f.Command == stomp.CmdError {
				failure = f.Header.Get("message")
			}
		}
	}
}

// each sends every frame as one message, with NUL at its end; it stops when the server has closed.
func each(frames ...string) func(context.Context, *websocket.Conn) {
	return func(ctx context.Context, conn *websocket.Conn) {
		for _, frame := range frames {
			if conn.Write(ctx, websocket.MessageText, []byte(frame+"\x00")) != nil {
				return
			}
		}
	}
}

// bytesOf sends text as it is, in messages of a size.
func bytesOf(text string, size int) func(context.Context, *websocket.Conn) {
	return func(ctx context.Context, conn *websocket.Conn) {
		for len(text) > 0 {
			n := min(size, len(text))
			if conn.Write(ctx, websocket.MessageText, []byte(text[:n])) != nil {
				return
			}
			text = text[n:]
		}
	}
}

func pings(ctx context.Context, conn *websocket.Conn) {
	for range 200 {
		if conn.Ping(ctx) != nil {
			return
		}
	}
}

const connect12 = "CONNECT\naccept-version:1.2\n\n"

// tight are limits that are easily broken.
func (r *rig) tight() {
	l := &r.cfg.Limits
	l.BodyBytes, l.Headers, l.HeaderLineBytes, l.Subscriptions = 1024, 10, 1024, 2
	l.PreAuth = config.PreAuth{StrangerBytes: 2048, StrangerTime: time.Second}
	l.Transactions = config.Transactions{Open: 1, TransactionFrames: 2, TransactionBytes: 1500}
}

// RELIABILITY rows 10 and 42: every limit is the configured one, ends the session with a code that says so, and is
// counted by its reason.
func TestThreat42LimitsAreConfiguredAndCounted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.tight()
	r.start()
	const send = "SEND\ndestination:/app/chat/42/send\n"
	within := send + "transaction:t\n\n"
	want := map[string]int{}
	for _, c := range []struct {
		name, reason string
		send         func(context.Context, *websocket.Conn)
		code         websocket.StatusCode
	}{
		{"a stranger in one message", "pre_auth_bytes", bytesOf("CONNECT\n"+strings.Repeat("a:b\n", 5)+"x:"+strings.Repeat("x", 4096), 8192), 1009},
		{"a stranger in instalments", "pre_auth_bytes", bytesOf(strings.Repeat("\n", 4096), 100), 1009},
		{"a silent stranger", "pre_auth_time", each(), 1008},
		{"a dribbling stranger", "pre_auth_time", func(ctx context.Context, conn *websocket.Conn) {
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for conn.Write(ctx, websocket.MessageText, []byte("\n")) == nil {
				<-tick.C
			}
		}, 1008},
		{"a body", "body", each(connect12, send+"\n"+strings.Repeat("x", 1025)), 1009},
		{"an announced body", "body", each(connect12, send+"content-length:1025\n\n"), 1009},
		{"headers", "headers", each(connect12, send+strings.Repeat("a:b\n", 10)+"\n"), 1009},
		{"a header line", "header_line", each(connect12, send+"a:"+strings.Repeat("x", 1024)+"\n\n"), 1009},
		{"subscriptions", "subscriptions", each(connect12, subscribeTo(1), subscribeTo(2), subscribeTo(3)), 1008},
		{"transactions", "transactions", each(connect12, "BEGIN\ntransaction:t\n\n", "BEGIN\ntransaction:u\n\n"), 1008},
		{"frames of a transaction", "transaction_size", each(connect12, "BEGIN\ntransaction:t\n\n", within+"1", within+"2", within+"3"), 1008},
		{"bytes of a transaction", "transaction_size", each(connect12, "BEGIN\ntransaction:t\n\n",
			within+strings.Repeat("x", 1000), within+strings.Repeat("x", 501)), 1008},
		{"a message", "message", each(connect12, strings.Repeat("\n", 200<<10)), 1009},
		{"pings", "pings", pings, 1008},
	} {
		t.Run(c.name, func(t *testing.T) {
			want[c.reason]++
			if code, _ := r.attack(c.send); code != c.code {
				t.Errorf("closed with %d, want %d", code, c.code)
			}
		})
	}
	_, metrics := r.ask(http.MethodGet, "http://"+r.AdminAddr()+"/metrics")
	for reason, n := range want {
		if line := fmt.Sprintf("fliliy_gateway_limited_total{reason=%q} %d\n", reason, n); !strings.Contains(metrics, line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
}

func subscribeTo(room int) string {
	return fmt.Sprintf("SUBSCRIBE\nid:%d\ndestination:/topic/chat/%d\n\n", room, room)
}

// RELIABILITY row 11: lengths that cannot be, are too large or contradict each other end the session; a body that is
// announced, and within the limit, costs nothing before it comes.
func TestThreat11ContentLengths(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.Limits.ConnectionsPerUser = 0
	r.start()
	for _, c := range []struct {
		length string
		code   websocket.StatusCode
	}{
		{"65537", 1009},
		{"1000000000", 1009},
		{"2147483648", 1009},
		{"9223372036854775808", 1009},
		{"18446744073709551621", 1009},
		{"-1", 1002},
		{"+5", 1002},
		{" 5", 1002},
		{"5 ", 1002},
		{"0x5", 1002},
		{"4\ncontent-length:5", 1002}, // the first counts, and the body does not end there
	} {
		code, failure := r.attack(each(connect12, "SEND\ndestination:/app/chat/42/send\ncontent-length:"+c.length+"\n\nhello"))
		if code != c.code || failure == "" {
			t.Errorf("content-length:%s: closed with %d after ERROR %q, want %d", c.length, code, failure, c.code)
		}
	}
	const sessions, length = 100, 64 << 10
	opened := make([]*client, sessions)
	for i := range opened {
		opened[i] = r.connect("alice")
	}
	before := heap()
	for _, c := range opened {
		c.send("SUBSCRIBE\nid:e\ndestination:/user/queue/errors\nreceipt:e\n\n")
		if err := c.ws.Write(t.Context(), websocket.MessageText,
			fmt.Appendf(nil, "\nSEND\ndestination:/app/chat/42/send\ncontent-length:%d\n\nx", length)); err != nil {
			t.Fatal(err)
		}
		c.want(stomp.CmdReceipt, "receipt-id", "e")
	}
	if grown := heap() - before; grown > sessions*length/2 {
		t.Errorf("the heap has grown by %d bytes for %d announced bodies of %d", grown, sessions, length)
	}
}

// heap is what is in use after a collection.
func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc) //nolint:gosec // G115: it fits
}
