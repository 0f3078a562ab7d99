package gateway_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway"
	"github.com/fliliy/chat/gateway/internal/transport/sockjs/sockjstest"
)

// startConformance runs a conformance broker and returns its address.
func startConformance(t *testing.T) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	broker, err := gateway.NewConformance(ctx, "127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		stop()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- broker.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return broker.Addr()
}

// The conformance broker serves what the public SockJS suite expects, at its paths, over TCP.
func TestConformanceSockJS(t *testing.T) {
	t.Parallel()
	sockjstest.Run(t, startConformance(t))
}

// STOMP over SockJS meets the same broker as over a WebSocket: a stranger is let in by CONNECT, and gets what it sends.
func TestConformanceStompOverSockJS(t *testing.T) {
	t.Parallel()
	s := sockjstest.NewSite(t, startConformance(t))
	url := sockjstest.Session("/ws")
	s.Poll(url, "o\n")
	for _, frame := range []string{
		"CONNECT\naccept-version:1.2\nhost:x\nlogin:guest\npasscode:guest\n\n\x00",
		"SUBSCRIBE\nid:1\ndestination:/topic/a\n\n\x00",
		"SEND\ndestination:/topic/a\n\nover SockJS\x00",
	} {
		body, err := json.Marshal([]string{frame})
		if err != nil {
			t.Fatal(err)
		}
		s.Post(url, string(body))
	}
	var all strings.Builder
	for !strings.Contains(all.String(), "over SockJS") {
		answer, frames := s.Do("POST", url+"/xhr", "")
		if answer.Status != 200 || frames[0] != 'a' {
			t.Fatalf("%d %q after %q", answer.Status, frames, all.String())
		}
		all.WriteString(frames)
	}
	if !strings.Contains(all.String(), "CONNECTED") {
		t.Errorf("no CONNECTED in %q", all.String())
	}
}
