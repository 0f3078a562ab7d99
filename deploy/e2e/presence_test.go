package e2e_test

import (
	"context"
	"net/http"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// onlineIn returns the statuses by user of a PRESENCE event, or of an answer of REST.
func onlineIn(list any) map[string]string {
	statuses := map[string]string{}
	all, _ := list.([]any)
	for _, each := range all {
		if member, ok := each.(map[string]any); ok {
			user, _ := member["userId"].(string)
			statuses[user], _ = member["status"].(string)
		}
	}
	return statuses
}

// statusOf waits until the room hears that a user has a status. What PRESENCE has said already may be said again, when
// its report was on the way; that she is offline may not be said of a user who is there.
func (w *wire) statusOf(room, user, status string) {
	w.t.Helper()
	for {
		e := w.event("USER_STATUS")
		if e["chatRoomId"] != room || e["at"] == nil {
			w.t.Errorf("USER_STATUS %v, want one of room %s with a time", e, room)
		}
		if e["userId"] != user {
			continue
		}
		if e["status"] == status {
			return
		}
		if e["status"] == "offline" {
			w.t.Fatalf("%s is offline, want %s", user, status)
		}
	}
}

func (w *wire) setStatus(status string) {
	w.t.Helper()
	w.send("SEND\ndestination:/app/user/status\nreceipt:status\n\n{\"status\":\"" + status + "\"}\x00")
	w.receipt("status")
}

// awaitStatus polls REST until a user has a status.
func (s *stage) awaitStatus(t *testing.T, who, whom person, status string) {
	t.Helper()
	eventually(t, whom.id+" is "+status, func() bool {
		_, answer := s.rest(t, who, http.MethodGet, "/api/v1/presence?userIds="+whom.id, nil)
		return onlineIn(answer["presence"])[whom.id] == status
	})
}

// TestPresenceOfTwoDevices: a client is told once who is online, then of each change over all devices and gateways; a
// user stays online while one of her devices is there.
func TestPresenceOfTwoDevices(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		alice, bob := p[0], p[1]
		room := s.room(t, alice, bob)
		phone := login(t, s.wsURL(0), bob)
		s.awaitStatus(t, alice, bob, "online")

		a := login(t, s.wsURL(1), alice)
		a.subscribe("s", "/topic/chat/"+room)
		snapshot := a.event("PRESENCE")
		if online := onlineIn(snapshot["online"]); snapshot["chatRoomId"] != room || len(online) != 2 ||
			online[alice.id] != "online" || online[bob.id] != "online" || snapshot["stale"] != nil {
			t.Errorf("alice is told %v, want both online", snapshot)
		}

		phone.setStatus("away")
		a.statusOf(room, bob.id, "away")
		tablet := login(t, s.wsURL(1), bob)
		a.statusOf(room, bob.id, "online")
		tablet.setStatus("busy")
		a.statusOf(room, bob.id, "busy")
		_ = tablet.socket.CloseNow()
		a.statusOf(room, bob.id, "away") // the phone is still there
		_ = phone.socket.CloseNow()
		a.statusOf(room, bob.id, "offline")

		eventually(t, "bob is offline, and it is told when he was last seen", func() bool {
			_, answer := s.rest(t, alice, http.MethodGet, "/api/v1/presence?userIds="+bob.id, nil)
			list, _ := answer["presence"].([]any)
			return len(list) == 1 && list[0].(map[string]any)["status"] == "offline" &&
				list[0].(map[string]any)["lastSeenAt"] != nil
		})
	})
}

// TestPresenceLookUps asks by REST and by gRPC; strangers learn nothing.
func TestPresenceLookUps(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob", "mallory")
		alice, bob, mallory := p[0], p[1], p[2]
		room := s.room(t, alice, bob)
		login(t, s.wsURL(0), bob).subscribe("s", "/topic/chat/"+room)
		s.awaitStatus(t, alice, bob, "online")

		eventually(t, "bob alone is online in the room", func() bool {
			_, answer := s.rest(t, alice, http.MethodGet, "/api/v1/chat-rooms/"+room+"/online", nil)
			online := onlineIn(answer["online"])
			return len(online) == 1 && online[bob.id] == "online" && answer["known"] == true
		})
		eventually(t, "bob is online in alice's list of rooms", func() bool {
			_, answer := s.rest(t, alice, http.MethodGet, "/api/v1/chat-rooms", nil)
			rooms, _ := answer["rooms"].([]any)
			return len(rooms) == 1 && onlineIn(rooms[0].(map[string]any)["presence"])[bob.id] == "online"
		})
		if status, answer := s.rest(t, mallory, http.MethodGet, "/api/v1/chat-rooms/"+room+"/online", nil); status != 403 {
			t.Errorf("mallory gets %d %v, want 403", status, answer)
		}
		if _, answer := s.rest(t, mallory, http.MethodGet, "/api/v1/presence?userIds="+bob.id, nil); len(
			onlineIn(answer["presence"])) != 0 {
			t.Errorf("mallory is told %v, want nothing: they share no room", answer)
		}
		if status, _ := s.rest(t, alice, http.MethodGet, "/api/v1/presence", nil); status != 400 {
			t.Errorf("asking about nobody is answered with %d, want 400", status)
		}
		s.lookUpAsService(t, bob)
	})
}

// lookUpAsService asks in nobody's name.
func (s *stage) lookUpAsService(t *testing.T, bob person) {
	t.Helper()
	conn, err := grpc.NewClient(s.stack.Chatsvc.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client := chatv1.NewChatServiceClient(conn)
	// On a busy machine Redis may not answer within 50 ms: presence is unknown then, for a moment.
	eventually(t, "a service is told who is online", func() bool {
		got, err := client.GetPresence(ctx, &chatv1.GetPresenceRequest{UserIds: []string{bob.id, "nobody"}})
		return err == nil && len(got.GetPresence()) == 2 && got.GetPresence()[0].GetStatus() == "online" &&
			got.GetPresence()[1].GetStatus() == "offline"
	})
	eventually(t, "a service is told how many are online", func() bool {
		count, err := client.CountPresence(ctx, &chatv1.CountPresenceRequest{ChatRoomIds: []int64{1 << 60}})
		return err == nil && count.GetKnown() && count.GetOnlineCount() >= 1 && count.GetRooms()[0].GetOpenCount() == 0
	})
}

// TestReadReachesTheOtherDevices, on other gateways and without the room open.
func TestReadReachesTheOtherDevices(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		alice, bob := p[0], p[1]
		room := s.room(t, alice, bob)
		a := login(t, s.wsURL(0), alice)
		a.say(room, "one", "1")
		tablet := login(t, s.wsURL(1), bob)
		tablet.subscribe("inbox", "/user/queue/messages")
		other := login(t, s.wsURL(1), alice)
		other.subscribe("inbox", "/user/queue/messages")

		phone := login(t, s.wsURL(0), bob)
		phone.subscribe("s", "/topic/chat/"+room)
		if got := tablet.event("READ"); got["userId"] != bob.id || got["chatRoomId"] != room {
			t.Errorf("bob's tablet heard %v, want that he has read the room", got)
		}
		a.say(room, "two", "2") // alice has not opened the room: what bob reads is told to his devices only
		if got := other.expect("MESSAGE"); got.Header.Get("event") != "MESSAGE" {
			t.Errorf("alice's inbox got %s, want the message", got.Header.Get("event"))
		}
	})
}

// TestRemovedMemberIsOutOnEveryGateway: her subscription ends, and she hears of nobody any more.
func TestRemovedMemberIsOutOnEveryGateway(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		alice, bob := p[0], p[1]
		room := s.room(t, alice, bob, s.people(t, "carol")[0])
		var devices []*wire
		for gateway := range 2 {
			w := login(t, s.wsURL(gateway), bob)
			w.subscribe("e", "/user/queue/errors")
			w.subscribe("s", "/topic/chat/"+room)
			devices = append(devices, w)
		}
		if status, answer := s.rest(t, alice, http.MethodDelete,
			"/api/v1/chat-rooms/"+room+"/members/"+bob.id, nil); status != http.StatusOK {
			t.Fatalf("remove bob: %d %v", status, answer)
		}
		for _, w := range devices {
			if got := w.event("MEMBER"); got["change"] != "removed" || got["userId"] != bob.id {
				t.Errorf("bob heard %v, want his removal", got)
			}
			if got := w.event("ERROR"); got["code"] != "FORBIDDEN" || got["destination"] != "/topic/chat/"+room {
				t.Errorf("bob heard %v, want that his subscription has ended", got)
			}
		}
		eventually(t, "bob is out of the room's look-up", func() bool {
			_, answer := s.rest(t, alice, http.MethodGet, "/api/v1/chat-rooms/"+room+"/online", nil)
			_, there := onlineIn(answer["online"])[bob.id]
			return !there
		})
	})
}
