package storetest

import (
	"slices"
	"testing"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// testThreat19Injection has texts that mean something in SQL, in patterns and in arguments stand wherever a client may put
// a text. Each is kept as it is, and finds itself and nothing else.
func testThreat19Injection(t *testing.T, h *house) {
	odd := []string{
		`'; DROP TABLE events; --`, `" OR ""="`, `%`, `_`, `\`, `\'`, `$1`, `?1`, `:x`, `&|!:*`, `{a,b}`, `["x"]`, `NULL`, `a,b`, `()`,
		"0x27", "ali%", "{}", `\x00`,
	}
	for i, text := range odd {
		room, _, err := h.rooms.Create(t.Context(), text, chat.NewRoom{MemberIDs: []string{"alice"}, Name: text, ListingID: text})
		if err != nil {
			t.Fatalf("%q makes a room: %v", text, err)
		}
		draft := withID(chat.Draft{Room: room.ID, SenderID: text, Type: chat.TypeText, Content: text}, text)
		note := chat.Draft{Inbox: text, ClientMessageID: text, Type: text, Title: text, Content: text}
		for repeat := range 2 {
			for _, outcome := range h.append(unit(draft), unit(note)).Outcomes {
				if outcome.Err != nil || outcome.Stored[0].Seq != 1 || outcome.Stored[0].Duplicate != (repeat > 0) {
					t.Errorf("%q, time %d: %+v", text, repeat, outcome)
				}
			}
		}
		if e := h.history(roomLog(room.ID))[0]; e.Content != text || e.UserID != text || e.ClientMessageID != text {
			t.Errorf("%q is kept as %+v", text, e)
		}
		if e := h.history(chat.LogRef{User: text})[0]; e.Title != text || e.Type != text || e.ClientMessageID != text {
			t.Errorf("%q is notified as %+v", text, e)
		}
		listed, _, err := h.rooms.List(t.Context(), text, 0, "")
		if err != nil || len(listed) != 1 || listed[0].Room.ID != room.ID || listed[0].Room.Name != text {
			t.Errorf("%q lists %+v, error %v", text, listed, err)
		}
		known, err := h.store.Acquainted(t.Context(), text, odd)
		if err != nil || !slices.Equal(known, []string{text}) {
			t.Errorf("%q knows %q, error %v", text, known, err)
		}
		if i > 0 {
			_, _, err := h.store.Entrance(t.Context(), room.ID-1, text)
			if member, _ := h.store.Member(t.Context(), room.ID-1, text); err != nil || member.Role != 0 {
				t.Errorf("%q is in the room before: %+v, error %v", text, member, err)
			}
		}
	}
	if listed, _, err := h.rooms.List(t.Context(), "alice", 0, ""); err != nil || len(listed) != len(odd) {
		t.Errorf("alice lists %d rooms, error %v; want %d", len(listed), err, len(odd))
	}
}
