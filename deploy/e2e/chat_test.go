package e2e_test

import (
	"net/http"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/fliliy/chat/deploy/allinone"
)

// TestRepeatedMessage repeats a message through the other gateway and by REST: one event, and the same answer.
func TestRepeatedMessage(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		room := s.room(t, p[0], p[1])
		first := login(t, s.wsURL(0), p[0]).say(room, "once", "id-1")
		second := login(t, s.wsURL(1), p[0]).say(room, "once", "id-1")
		for _, header := range []string{"message-id", "seq"} {
			if a, b := first.Header.Get(header), second.Header.Get(header); a == "" || a != b {
				t.Errorf("%s of the repeat = %q, of the first %q", header, b, a)
			}
		}
		if first.Header.Get("duplicate") == "true" || second.Header.Get("duplicate") != "true" {
			t.Errorf("duplicate = %q then %q, want only the repeat to say true",
				first.Header.Get("duplicate"), second.Header.Get("duplicate"))
		}
		status, answer := s.rest(t, p[0], http.MethodPost, "/api/v1/chat-rooms/"+room+"/messages",
			map[string]any{"type": "TEXT", "content": "once", "clientMessageId": "id-1"})
		if status != http.StatusOK || answer["duplicate"] != true || answer["messageId"] != first.Header.Get("message-id") {
			t.Errorf("repeat by REST: status %d, answer %v", status, answer)
		}
		if got := len(s.history(t, p[1], room)); got != 1 {
			t.Errorf("history holds %d events, want 1", got)
		}
	})
}

// TestResume leaves, misses messages, and gets exactly those with last-seq, then what comes live.
func TestResume(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		room := s.room(t, p[0], p[1])
		alice := login(t, s.wsURL(0), p[0])
		alice.say(room, "1", "1")
		alice.say(room, "2", "2")
		alice.say(room, "3", "3")
		bob := login(t, s.wsURL(1), p[1])
		bob.send("SUBSCRIBE\nid:0\ndestination:/topic/chat/" + room + "\nlast-seq:1\n\n\x00")
		for _, want := range []string{"2", "3"} {
			if got := bob.event("MESSAGE")["content"]; got != want {
				t.Errorf("replayed %v, want %s", got, want)
			}
		}
		alice.say(room, "4", "4")
		if got := bob.event("MESSAGE")["content"]; got != "4" {
			t.Errorf("then came %v, want 4", got)
		}
	})
}

// TestMarksAndTyping sees the other's typing and reading, through the other gateway.
func TestMarksAndTyping(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		alice, bob := p[0], p[1]
		room := s.room(t, alice, bob)
		a := login(t, s.wsURL(0), alice)
		a.subscribe("room", "/topic/chat/"+room)
		a.say(room, "read me", "1")

		status, answer := s.rest(t, bob, http.MethodGet, "/api/v1/chat-rooms", nil)
		rooms, _ := answer["rooms"].([]any)
		if status != http.StatusOK || len(rooms) != 1 || rooms[0].(map[string]any)["unreadCount"] != 1.0 {
			t.Fatalf("bob's rooms: status %d, %v; want one with one unread", status, answer)
		}

		b := login(t, s.wsURL(1), bob)
		b.send("SEND\ndestination:/app/chat/" + room + "/typing\n\n\x00")
		if event := a.event("TYPING"); event["userId"] != bob.id || event["chatRoomId"] != room {
			t.Errorf("typing = %v, want of bob", event)
		}
		b.subscribe("room", "/topic/chat/"+room) // marks it read
		if event := a.event("READ"); event["userId"] != bob.id || event["lastReadSeq"] != 1.0 {
			t.Errorf("read = %v, want bob at 1", event)
		}
		_, answer = s.rest(t, bob, http.MethodGet, "/api/v1/chat-rooms", nil)
		if got := answer["rooms"].([]any)[0].(map[string]any)["unreadCount"]; got != 0.0 {
			t.Errorf("unread = %v after reading, want 0", got)
		}
	})
}

// TestInboxCopies has messages of rooms that a session has not subscribed arrive on its inbox, once.
func TestInboxCopies(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		here, there := s.room(t, p[0], p[1]), s.room(t, p[0], p[1])
		b := login(t, s.wsURL(1), p[1])
		b.subscribe("inbox", "/user/queue/messages")
		b.subscribe("room", "/topic/chat/"+here)
		a := login(t, s.wsURL(0), p[0])
		a.say(here, "to the open room", "1")
		a.say(there, "to the other room", "1")
		seen := map[string]string{}
		for range 2 {
			got := b.expect("MESSAGE")
			seen[got.Header.Get("destination")] = string(got.Body)
		}
		if len(seen) != 2 || seen["/topic/chat/"+here] == "" || seen["/user/queue/messages"] == "" {
			t.Errorf("bob saw %v, want one message on each subscription", seen)
		}
	})
}

// TestPresenceKeys looks at Redis as an operator does.
func TestPresenceKeys(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		alice := p[0]
		room, phoneOnly := s.room(t, alice, p[1]), s.room(t, alice, p[1])
		url, err := redis.ParseURL(s.stack.RedisURL)
		if err != nil {
			t.Fatal(err)
		}
		rdb := redis.NewClient(url)
		t.Cleanup(func() {
			if err := rdb.Close(); err != nil {
				t.Errorf("close the Redis client: %v", err)
			}
		})
		check := func(when string, want bool) {
			t.Helper()
			eventually(t, when, func() bool {
				online := rdb.SIsMember(t.Context(), "websocket:online_users", alice.id).Val()
				status := rdb.Get(t.Context(), "websocket:user:status:"+alice.id).Val() == "online"
				inRoom := rdb.SIsMember(t.Context(), "websocket:chatroom:users:"+room, alice.id).Val()
				herRoom := rdb.SIsMember(t.Context(), "websocket:user:chatrooms:"+alice.id, room).Val()
				return online == want && status == want && inRoom == want && herRoom == want
			})
		}
		phone := login(t, s.wsURL(0), alice)
		phone.subscribe("room", "/topic/chat/"+room)
		phone.subscribe("other", "/topic/chat/"+phoneOnly)
		laptop := login(t, s.wsURL(1), alice)
		laptop.subscribe("room", "/topic/chat/"+room)
		check("two devices", true)
		if err := phone.socket.Close(1000, ""); err != nil {
			t.Fatalf("close the phone: %v", err)
		}
		eventually(t, "the phone is gone from its own room", func() bool {
			return !rdb.SIsMember(t.Context(), "websocket:chatroom:users:"+phoneOnly, alice.id).Val()
		})
		check("one device left", true)
		if err := laptop.socket.Close(1000, ""); err != nil {
			t.Fatalf("close the laptop: %v", err)
		}
		check("no device left", false)
	})
}

// TestRestart stops a stack and starts it on the same data: rooms, messages and tokens are still good.
func TestRestart(t *testing.T) {
	t.Parallel()
	opts := options(t.TempDir())
	first, err := allinone.Start(t.Context(), opts)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	s := &stage{name: "first", dir: opts.DataDir, stack: first}
	p := s.people(t, "alice", "bob")
	room := s.room(t, p[0], p[1])
	login(t, s.wsURL(0), p[0]).say(room, "remember me", "1")
	if err := first.Stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}
	second, err := allinone.Start(t.Context(), opts)
	if err != nil {
		t.Fatalf("start again: %v", err)
	}
	defer func() {
		if err := second.Stop(); err != nil {
			t.Errorf("stop again: %v", err)
		}
	}()
	s = &stage{name: "second", dir: opts.DataDir, stack: second}
	events := s.history(t, p[0], room)
	if len(events) != 1 || events[0].(map[string]any)["content"] != "remember me" {
		t.Errorf("history after the restart = %v", events)
	}
	if got := login(t, s.wsURL(1), p[1]).say(room, "of course", "1").Header.Get("seq"); got != "2" {
		t.Errorf("seq goes on at %s, want 2", got)
	}
}
