package e2e_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/go-stomp/stomp/v3"
	"github.com/go-stomp/stomp/v3/frame"
	"github.com/google/go-cmp/cmp"
)

// TestGoStomp chats with go-stomp, a client made for TCP, over a WebSocket as a plain byte stream.
func TestGoStomp(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob", "carol")
		alice, bob, carol := p[0], p[1], p[2]
		room := s.room(t, alice, bob)
		topic := "/topic/chat/" + room

		a, b := dialGoStomp(t, s.wsURL(0), alice), dialGoStomp(t, s.wsURL(1), bob)
		toAlice := subscribeGoStomp(t, a, room)
		toBob := subscribeGoStomp(t, b, room)

		const each = 5
		for i := range each {
			sendGoStomp(t, a, room, map[string]any{"type": "TEXT", "content": "from alice", "clientMessageId": string(rune('a' + i))})
			sendGoStomp(t, b, room, map[string]any{"type": "TEXT", "content": "from bob", "clientMessageId": string(rune('a' + i))})
		}
		history := s.history(t, bob, room)
		if len(history) != 2*each {
			t.Fatalf("history holds %d events, want %d", len(history), 2*each)
		}
		if diff := cmp.Diff(history, receiveGoStomp(t, toAlice, 2*each)); diff != "" {
			t.Errorf("alice received something else than the history (-history +alice):\n%s", diff)
		}
		if diff := cmp.Diff(history, receiveGoStomp(t, toBob, 2*each)); diff != "" {
			t.Errorf("bob received something else than the history (-history +bob):\n%s", diff)
		}

		c := dialGoStomp(t, s.wsURL(0), carol)
		refused, err := c.Subscribe(topic, stomp.AckAuto)
		if err != nil {
			t.Fatalf("subscribe as a stranger: %v", err)
		}
		select {
		case message := <-refused.C:
			if message == nil || message.Err == nil {
				t.Errorf("a stranger received %v, want an ERROR frame", message)
			}
		case <-time.After(patience):
			t.Error("a stranger's SUBSCRIBE was not answered")
		}
	})
}

func dialGoStomp(t *testing.T, url string, who person) *stomp.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	socket, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{Subprotocols: []string{"v12.stomp"}})
	if err != nil {
		t.Fatalf("dial %s: %v", url, err)
	}
	stream := websocket.NetConn(context.WithoutCancel(t.Context()), socket, websocket.MessageText)
	conn, err := stomp.Connect(stream,
		stomp.ConnOpt.Login(who.id, who.token), // the token travels as passcode
		stomp.ConnOpt.Host("chat"),
		stomp.ConnOpt.HeartBeat(10*time.Second, 10*time.Second))
	if err != nil {
		t.Fatalf("go-stomp connect: %v", err)
	}
	t.Cleanup(func() { _ = conn.MustDisconnect() })
	return conn
}

// subscribeGoStomp subscribes a room and returns once the subscription is live. go-stomp breaks when a SUBSCRIBE asks
// for a RECEIPT (its read loop closes the subscription's channel), so the next frame does: the gateway answers in order.
func subscribeGoStomp(t *testing.T, conn *stomp.Conn, room string) *stomp.Subscription {
	t.Helper()
	subscription, err := conn.Subscribe("/topic/chat/"+room, stomp.AckAuto)
	if err != nil {
		t.Fatalf("go-stomp subscribe room %s: %v", room, err)
	}
	if err := conn.Send("/app/chat/"+room+"/typing", "", nil, stomp.SendOpt.Receipt); err != nil {
		t.Fatalf("go-stomp send after subscribe: %v", err)
	}
	return subscription
}

// sendGoStomp sends a message and returns once its RECEIPT is there.
func sendGoStomp(t *testing.T, conn *stomp.Conn, room string, message map[string]any) {
	t.Helper()
	body, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Send("/app/chat/"+room+"/send", "application/json", body, stomp.SendOpt.Receipt); err != nil {
		t.Fatalf("go-stomp send: %v", err)
	}
}

// receiveGoStomp returns the next MESSAGE events, leaving out state events.
func receiveGoStomp(t *testing.T, subscription *stomp.Subscription, count int) []any {
	t.Helper()
	var events []any
	deadline := time.After(patience)
	for len(events) < count {
		select {
		case message := <-subscription.C:
			if message == nil || message.Err != nil {
				t.Fatalf("go-stomp receive: %v", message)
			}
			if message.Header.Get("event") != "MESSAGE" {
				continue
			}
			if message.Header.Get(frame.ContentType) != "application/json" {
				t.Errorf("content-type = %q", message.Header.Get(frame.ContentType))
			}
			var event any
			if err := json.Unmarshal(message.Body, &event); err != nil {
				t.Fatalf("body is no JSON: %v", err)
			}
			events = append(events, event)
		case <-deadline:
			t.Fatalf("received %d of %d messages", len(events), count)
		}
	}
	return events
}
