package rpc

import (
	"encoding/json"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/wire"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// maxPage is about how many bytes of events an answer may have: callers take 4 MiB by default. A page of large events
// is shorter than asked for, never empty.
const maxPage = 3 << 20

// logRef reads the name of a log.
func logRef(log *chatv1.LogRef) (chat.LogRef, error) {
	switch name := log.GetLog().(type) {
	case *chatv1.LogRef_ChatRoomId:
		return chat.LogRef{Room: name.ChatRoomId}, nil
	case *chatv1.LogRef_UserId:
		if err := chat.ValidUserID(name.UserId); err != nil {
			return chat.LogRef{}, err
		}
		return chat.LogRef{User: name.UserId}, nil
	}
	return chat.LogRef{}, invalid("log is missing: set its chat_room_id or its user_id")
}

// pageRange reads the bounds of a page.
func pageRange(before int64, after *int64, limit int32) chat.Range {
	r := chat.Range{Before: before, After: -1, Limit: int(limit)}
	if after != nil {
		r.After = *after
		if r.After < 0 {
			r.After = -2 // the caller's -1 is no "no bound"
		}
	}
	return r
}

// pageEvents writes a page: all of it, or as much of the side it begins at as fits.
func pageEvents(events []chat.Event, r chat.Range) []*chatv1.Event {
	if r.After >= 0 {
		return oldestFitting(wire.Events(events))
	}
	return newestFitting(wire.Events(events))
}

func oldestFitting(events []*chatv1.Event) []*chatv1.Event {
	size := 0
	for i, e := range events {
		if size += proto.Size(e); size > maxPage && i > 0 {
			return events[:i]
		}
	}
	return events
}

func newestFitting(events []*chatv1.Event) []*chatv1.Event {
	size := 0
	for i, e := range slices.Backward(events) {
		if size += proto.Size(e); size > maxPage && i < len(events)-1 {
			return events[i+1:]
		}
	}
	return events
}

func roomOf(room *chat.Room) *chatv1.Room {
	return &chatv1.Room{
		ChatRoomId: room.ID,
		Name:       room.Name,
		ListingId:  room.ListingID,
		Direct:     room.Direct,
		CreatedBy:  room.CreatedBy,
		CreatedAt:  timestamppb.New(room.CreatedAt),
		MemberIds:  room.MemberIDs,
	}
}

func summaryOf(s *chat.RoomSummary) *chatv1.RoomSummary {
	return &chatv1.RoomSummary{
		Room:        roomOf(&s.Room),
		LastEvent:   wire.Event(s.Last),
		HeadSeq:     s.Head,
		LastReadSeq: s.LastRead,
		UnreadCount: s.Unread,
		Presence:    presenceOf(s.Presence),
	}
}

func presenceOf(all []chat.Presence) []*chatv1.Presence {
	out := make([]*chatv1.Presence, len(all))
	for i, p := range all {
		out[i] = &chatv1.Presence{UserId: p.UserID, Status: p.Status}
		if !p.LastSeen.IsZero() {
			out[i].LastSeenAt = timestamppb.New(p.LastSeen)
		}
	}
	return out
}

func membersOf(members []chat.Member) []*chatv1.Member {
	out := make([]*chatv1.Member, len(members))
	for i := range members {
		m := &members[i]
		out[i] = &chatv1.Member{
			UserId: m.UserID, Role: roleOf(m.Role), JoinedAt: timestamppb.New(m.JoinedAt),
			LastReadSeq: m.LastRead, LastDeliveredSeq: m.LastDelivered, State: chatv1.MemberState_MEMBER_STATE_MEMBER,
		}
		if m.Muted(time.Now()) {
			out[i].State = chatv1.MemberState_MEMBER_STATE_MUTED
			if m.MutedUntil.Before(chat.Forever) {
				out[i].MutedUntil = timestamppb.New(m.MutedUntil)
			}
		}
	}
	return out
}

func roleOf(role chat.Role) chatv1.MemberRole {
	switch role {
	case chat.RoleMember:
		return chatv1.MemberRole_MEMBER_ROLE_MEMBER
	case chat.RoleOwner:
		return chatv1.MemberRole_MEMBER_ROLE_OWNER
	}
	return chatv1.MemberRole_MEMBER_ROLE_UNSPECIFIED
}

// object reads a JSON object that came as protobuf.
func object(field string, s *structpb.Struct) (json.RawMessage, error) {
	if s == nil {
		return nil, nil
	}
	data, err := s.MarshalJSON()
	if err != nil {
		return nil, invalid(field + " cannot be written as JSON: it has a number that is not finite")
	}
	return data, nil
}

func revocationsOf(revocations []chat.Revocation) []*chatv1.Revocation {
	out := make([]*chatv1.Revocation, len(revocations))
	for i := range revocations {
		r := &revocations[i]
		out[i] = &chatv1.Revocation{
			Number: r.Number, UserId: r.UserID, Reason: r.Reason,
			IssuedBefore: timestamppb.New(r.IssuedBefore), Until: timestamppb.New(r.Until),
		}
	}
	return out
}

func spansOf(spans chat.Spans) []*chatv1.SeqSpan {
	if len(spans) == 0 {
		return nil
	}
	out := make([]*chatv1.SeqSpan, len(spans))
	for i, s := range spans {
		out[i] = &chatv1.SeqSpan{FirstSeq: s.First, LastSeq: s.Last}
	}
	return out
}
