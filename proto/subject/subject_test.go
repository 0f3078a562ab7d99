package subject_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fliliy/chat/proto/subject"
)

func TestRoomAndUser(t *testing.T) {
	t.Parallel()
	if got, want := subject.Room(42), "chat.v1.room.42"; got != want {
		t.Errorf("Room(42) = %q, want %q", got, want)
	}
	if got, want := subject.User("alice"), "chat.v1.user.YWxpY2U"; got != want {
		t.Errorf("User(alice) = %q, want %q", got, want)
	}
}

// TestThreat17NothingTypedBecomesSyntax is the NATS injection property: whatever the user id holds, the subject has the same
// four tokens and no wildcard, and reads back as the same id.
func TestThreat17NothingTypedBecomesSyntax(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.OneOf(
			rapid.StringMatching(`[*>. \t\r\na-z]{1,8}`),
			rapid.String().Filter(func(s string) bool { return s != "" }),
		).Draw(t, "id")
		name := subject.User(id)
		if tokens := strings.Split(name, "."); len(tokens) != 4 || strings.ContainsAny(name, "*> \t\r\n") {
			t.Fatalf("User(%q) = %q is not a plain subject of four tokens", id, name)
		}
		room, user, err := subject.Parse(name)
		if err != nil || room != 0 || user != id {
			t.Fatalf("Parse(%q) = %d, %q, %v; want 0, %q", name, room, user, err, id)
		}
	})
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, subject string
		room          int64
		user          string
		bad           bool
	}{
		{name: "room", subject: "chat.v1.room.42", room: 42},
		{name: "largest room", subject: "chat.v1.room.9223372036854775807", room: 1<<63 - 1},
		{name: "user", subject: "chat.v1.user.YWxpY2U", user: "alice"},
		{name: "room zero", subject: "chat.v1.room.0", bad: true},
		{name: "room negative", subject: "chat.v1.room.-1", bad: true},
		{name: "room with sign", subject: "chat.v1.room.+1", bad: true},
		{name: "room with leading zero", subject: "chat.v1.room.042", bad: true},
		{name: "room too large", subject: "chat.v1.room.9223372036854775808", bad: true},
		{name: "room with more tokens", subject: "chat.v1.room.1.2", bad: true},
		{name: "room wildcard", subject: "chat.v1.room.*", bad: true},
		{name: "user empty", subject: "chat.v1.user.", bad: true},
		{name: "user padded", subject: "chat.v1.user.YQ==", bad: true},
		{name: "user with stray bits", subject: "chat.v1.user.YR", bad: true},
		{name: "heads", subject: subject.Heads, bad: true},
		{name: "control", subject: subject.Control, bad: true},
		{name: "empty", subject: "", bad: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			room, user, err := subject.Parse(tc.subject)
			if (err != nil) != tc.bad || room != tc.room || user != tc.user {
				t.Errorf("Parse(%q) = %d, %q, %v; want %d, %q, error %t", tc.subject, room, user, err, tc.room, tc.user, tc.bad)
			}
		})
	}
}
