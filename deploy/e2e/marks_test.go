package e2e_test

import (
	"net/http"
	"strconv"
	"testing"
)

// member returns what REST says of a member of a room.
func (s *stage) member(t *testing.T, who person, room, id string) map[string]any {
	t.Helper()
	status, answer := s.rest(t, who, http.MethodGet, "/api/v1/chat-rooms/"+room+"/members", nil)
	members, _ := answer["members"].([]any)
	for _, each := range members {
		if member, ok := each.(map[string]any); ok && member["userId"] == id {
			return member
		}
	}
	t.Fatalf("members: status %d, answer %v; want %s among them", status, answer, id)
	return nil
}

// ackOf returns the ack header of the next MESSAGE frame with a seq, passing over others.
func (w *wire) ackOf(seq int) string {
	w.t.Helper()
	for {
		got := w.expect("MESSAGE")
		if got.Header.Get("seq") == strconv.Itoa(seq) {
			return got.Header.Get("ack")
		}
	}
}

// TestDelivered has a sender on one node learn what a receiver on another has acknowledged.
func TestDelivered(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		alice, bob := p[0], p[1]
		room := s.room(t, alice, bob)
		head := len(s.history(t, alice, room))
		a := login(t, s.wsURL(0), alice)
		a.subscribe("s", "/topic/chat/"+room)
		b := login(t, s.wsURL(1), bob)
		b.subscribe("s", "/topic/chat/"+room, "ack:client")
		for i := range 3 {
			a.say(room, "message", strconv.Itoa(i))
		}
		b.ackOf(head + 1)
		second, third := b.ackOf(head+2), b.ackOf(head+3)

		b.send("ACK\nid:" + second + "\nreceipt:two\n\n\x00")
		b.receipt("two")
		got := a.event("DELIVERED")
		if got["userId"] != bob.id || got["chatRoomId"] != room || got["deliveredSeq"] != float64(head+2) || got["at"] == nil {
			t.Errorf("alice heard %v, want that bob has got %d", got, head+2)
		}
		if m := s.member(t, alice, room, bob.id); m["lastDeliveredSeq"] != float64(head+2) {
			t.Errorf("bob is %v, want lastDeliveredSeq %d", m, head+2)
		}

		b.send("NACK\nid:"+third+"\nreceipt:nack\n\n\x00", "BEGIN\ntransaction:t\n\n\x00",
			"ACK\nid:"+third+"\ntransaction:t\nreceipt:held\n\n\x00")
		b.receipt("nack")
		b.receipt("held")
		if m := s.member(t, alice, room, bob.id); m["lastDeliveredSeq"] != float64(head+2) {
			t.Errorf("before the COMMIT bob is %v, want lastDeliveredSeq %d", m, head+2)
		}
		b.send("COMMIT\ntransaction:t\nreceipt:done\n\n\x00")
		b.receipt("done")
		if got := a.event("DELIVERED"); got["deliveredSeq"] != float64(head+3) {
			t.Errorf("alice heard %v, want that bob has got %d", got, head+3)
		}
	})
}

// TestReadIsDelivered: a read mark moves the delivered mark along without a word, and an ACK behind it moves nothing.
func TestReadIsDelivered(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		alice, bob := p[0], p[1]
		room := s.room(t, alice, bob)
		head := len(s.history(t, alice, room))
		a := login(t, s.wsURL(0), alice)
		a.subscribe("s", "/topic/chat/"+room)
		b := login(t, s.wsURL(1), bob)
		b.subscribe("s", "/topic/chat/"+room, "ack:client-individual")
		for i := range 3 {
			a.say(room, "message", strconv.Itoa(i))
		}
		first, _, third := b.ackOf(head+1), b.ackOf(head+2), b.ackOf(head+3)
		b.send("SEND\ndestination:/app/chat/" + room + "/read\nreceipt:read\n\n" +
			`{"seq":` + strconv.Itoa(head+2) + "}\x00")
		b.receipt("read")
		b.send("ACK\nid:"+first+"\nreceipt:first\n\n\x00", "ACK\nid:"+third+"\nreceipt:third\n\n\x00")
		b.receipt("first")
		b.receipt("third")
		if got := a.event("READ"); got["userId"] != bob.id || got["lastReadSeq"] != float64(head+2) {
			t.Errorf("alice heard %v, want that bob has read %d", got, head+2)
		}
		if got := a.event("DELIVERED"); got["deliveredSeq"] != float64(head+3) {
			t.Errorf("alice heard %v, want that bob has got %d", got, head+3)
		}
		if m := s.member(t, alice, room, bob.id); m["lastReadSeq"] != float64(head+2) ||
			m["lastDeliveredSeq"] != float64(head+3) {
			t.Errorf("bob is %v, want read %d and delivered %d", m, head+2, head+3)
		}
	})
}
