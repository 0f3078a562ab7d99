package wire_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/wire"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

var at = time.Date(2026, 11, 23, 5, 14, 0, 123_456_000, time.UTC)

func TestEvents(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		event  chat.Event
		kind   chatv1.EventKind
		change chatv1.MemberChange
	}{
		"message":      {chat.Event{Kind: chat.KindMessage, Seq: 7}, chatv1.EventKind_EVENT_KIND_MESSAGE, 0},
		"notification": {chat.Event{Kind: chat.KindNotification, Seq: 7}, chatv1.EventKind_EVENT_KIND_NOTIFICATION, 0},
		"read":         {chat.Event{Kind: chat.KindRead}, chatv1.EventKind_EVENT_KIND_READ, 0},
		"typing":       {chat.Event{Kind: chat.KindTyping}, chatv1.EventKind_EVENT_KIND_TYPING, 0},
		"joined": {
			chat.Event{Kind: chat.KindMember, Seq: 7, Change: chat.Joined},
			chatv1.EventKind_EVENT_KIND_MEMBER, chatv1.MemberChange_MEMBER_CHANGE_JOINED,
		},
		"left": {
			chat.Event{Kind: chat.KindMember, Seq: 7, Change: chat.Left},
			chatv1.EventKind_EVENT_KIND_MEMBER, chatv1.MemberChange_MEMBER_CHANGE_LEFT,
		},
		"removed": {
			chat.Event{Kind: chat.KindMember, Seq: 7, Change: chat.Removed},
			chatv1.EventKind_EVENT_KIND_MEMBER, chatv1.MemberChange_MEMBER_CHANGE_REMOVED,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := tc.event
			e.Log, e.MessageID, e.UserID, e.At = chat.LogRef{Room: 42}, "42-7", "alice", at
			want := &chatv1.Event{
				Seq: e.Seq, Kind: tc.kind, MessageId: "42-7", UserId: "alice", MemberChange: tc.change, Json: e.JSON(),
			}
			got := wire.Events([]chat.Event{e, e})
			for i := range got {
				if diff := cmp.Diff(want, got[i], protocmp.Transform()); diff != "" {
					t.Errorf("event %d (-want +got):\n%s", i, diff)
				}
			}
			if diff := cmp.Diff(want, wire.Event(&e), protocmp.Transform()); diff != "" {
				t.Errorf("single event (-want +got):\n%s", diff)
			}
		})
	}
	if got := wire.Event(nil); got != nil {
		t.Errorf("Event(nil) = %v, want nil", got)
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	if got := wire.Log(chat.LogRef{Room: 42}); got.GetChatRoomId() != 42 || got.GetUserId() != "" {
		t.Errorf("room's log is %v", got)
	}
	if got := wire.Log(chat.LogRef{User: "bob"}); got.GetUserId() != "bob" || got.GetChatRoomId() != 0 {
		t.Errorf("inbox is %v", got)
	}
}
