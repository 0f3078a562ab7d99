// Package wire writes the nouns of package chat as protobuf, as far as both the counter (rpc) and the post office
// (publish) need them: events and names of logs. It decides nothing; a noun that only one of them needs is converted
// there.
package wire

import (
	"github.com/fliliy/chat/chatsvc/internal/chat"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// Log returns a log's name.
func Log(log chat.LogRef) *chatv1.LogRef {
	if log.Room > 0 {
		return &chatv1.LogRef{Log: &chatv1.LogRef_ChatRoomId{ChatRoomId: log.Room}}
	}
	return &chatv1.LogRef{Log: &chatv1.LogRef_UserId{UserId: log.User}}
}

// Event returns one event; nil for none.
func Event(e *chat.Event) *chatv1.Event {
	if e == nil {
		return nil
	}
	out := new(chatv1.Event)
	fill(out, e)
	return out
}

// Events returns events, their JSON made once, in two allocations and one for each JSON.
func Events(events []chat.Event) []*chatv1.Event {
	all := make([]chatv1.Event, len(events))
	out := make([]*chatv1.Event, len(events))
	for i := range events {
		fill(&all[i], &events[i])
		out[i] = &all[i]
	}
	return out
}

func fill(out *chatv1.Event, e *chat.Event) {
	out.Seq = e.Seq
	out.Kind = kindOf(e.Kind)
	out.MessageId = e.MessageID
	out.UserId = e.UserID
	out.MemberChange = changeOf(e.Change)
	out.TargetSeq = e.Target
	out.Json = e.JSON()
}

// kindOf translates a kind. One without a name in the contract goes out as unspecified: its JSON still tells clients
// what happened.
func kindOf(kind chat.Kind) chatv1.EventKind {
	switch kind {
	case chat.KindMessage:
		return chatv1.EventKind_EVENT_KIND_MESSAGE
	case chat.KindMember:
		return chatv1.EventKind_EVENT_KIND_MEMBER
	case chat.KindEdited:
		return chatv1.EventKind_EVENT_KIND_EDITED
	case chat.KindRecalled:
		return chatv1.EventKind_EVENT_KIND_RECALLED
	case chat.KindNotification:
		return chatv1.EventKind_EVENT_KIND_NOTIFICATION
	case chat.KindRead:
		return chatv1.EventKind_EVENT_KIND_READ
	case chat.KindDelivered:
		return chatv1.EventKind_EVENT_KIND_DELIVERED
	case chat.KindTyping:
		return chatv1.EventKind_EVENT_KIND_TYPING
	case chat.KindUserStatus:
		return chatv1.EventKind_EVENT_KIND_USER_STATUS
	}
	return chatv1.EventKind_EVENT_KIND_UNSPECIFIED
}

func changeOf(change chat.Change) chatv1.MemberChange {
	switch change {
	case chat.Joined:
		return chatv1.MemberChange_MEMBER_CHANGE_JOINED
	case chat.Left:
		return chatv1.MemberChange_MEMBER_CHANGE_LEFT
	case chat.Removed:
		return chatv1.MemberChange_MEMBER_CHANGE_REMOVED
	case chat.Muted:
		return chatv1.MemberChange_MEMBER_CHANGE_MUTED
	case chat.Unmuted:
		return chatv1.MemberChange_MEMBER_CHANGE_UNMUTED
	case chat.Banned:
		return chatv1.MemberChange_MEMBER_CHANGE_BANNED
	case chat.Unbanned:
		return chatv1.MemberChange_MEMBER_CHANGE_UNBANNED
	}
	return chatv1.MemberChange_MEMBER_CHANGE_UNSPECIFIED
}
