package rpc_test

import (
	"testing"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

func delivered(room int64, body string) *chatv1.Action {
	return &chatv1.Action{Verb: chatv1.Verb_VERB_DELIVERED, ChatRoomId: room, Body: []byte(body)}
}

func TestRelayDelivered(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room := r.room("the room", "bob")
	for range 3 {
		r.say("alice", room, "a message")
	}
	l := r.line()
	l.stored(l.send("bob", delivered(room, `{"seq":2}`)))
	l.stored(l.send("bob", delivered(room, `{"seq":1}`)))
	members, err := r.chat.ListMembers(r.as("alice"), &chatv1.ListMembersRequest{ChatRoomId: room})
	if err != nil {
		t.Fatal(err)
	}
	bob := members.GetMembers()[1]
	if bob.GetUserId() != "bob" || bob.GetLastDeliveredSeq() != 2 || bob.GetLastReadSeq() != 0 {
		t.Errorf("bob is %v, want delivered 2 and read 0", bob)
	}
	var published []chat.Event
	for _, e := range r.posted.all() {
		if e.Kind == chat.KindDelivered {
			published = append(published, e)
		}
	}
	if len(published) != 1 || published[0].Mark != 2 || published[0].UserID != "bob" {
		t.Errorf("published %v, want one DELIVERED 2 of bob", published)
	}
}

func TestRelayDeliveredWithinATransaction(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room, foreign := r.room("the room", "bob"), r.room("another")
	r.say("alice", room, "a message")
	l := r.line()
	stored := l.stored(l.send("bob", delivered(room, `{"seq":1}`), say(room, `{"content":"got it"}`)))
	if len(stored) != 2 || stored[0].GetSeq() != 0 || stored[1].GetSeq() != 2 {
		t.Errorf("stored as %v, want nothing and seq 2", stored)
	}
	refusal := l.refused(l.send("bob", say(room, `{"content":"x"}`), delivered(foreign, `{"seq":1}`)))
	if refusal.GetReason() != forbidden || refusal.GetAction() != 1 {
		t.Errorf("refused as %v, want FORBIDDEN of action 1", refusal)
	}
	if got := len(r.history("bob", room)); got != 2 {
		t.Errorf("the refused transaction left something: %d messages, want 2", got)
	}
}

func TestRelayRefusesBadDelivered(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room := r.room("the room", "bob")
	l := r.line()
	for body, text := range map[string]string{
		`{"seq":"7"}`: "seq must be a whole number",
		`{"seq":-1}`:  "seq is -1",
		`{"seq":0}`:   "seq is missing",
		`{}`:          "seq is missing",
		``:            "seq is missing",
		`[]`:          "must be a JSON object",
	} {
		refusal := l.refused(l.send("bob", delivered(room, body)))
		if refusal.GetReason() != badlyMade {
			t.Errorf("%q: refused as %v, want INVALID", body, refusal)
		}
		has(t, refusal.GetMessage(), text)
	}
	if refusal := l.refused(l.send("mallory", delivered(room, `{"seq":1}`))); refusal.GetReason() != forbidden {
		t.Errorf("a stranger is refused as %v, want FORBIDDEN", refusal)
	}
}
