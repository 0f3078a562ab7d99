package rpc

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// chatService is for internal services and REST: each method is one use case, in the name of the acting user.
type chatService struct {
	chatv1.UnimplementedChatServiceServer
	rooms    *chat.Rooms
	messages *chat.Messages
	marks    *chat.Marks
	inbox    *chat.Inbox
	revoked  *chat.Revocations
	statuses *chat.Statuses
}

func (s *chatService) CreateRoom(
	ctx context.Context, in *chatv1.CreateRoomRequest,
) (*chatv1.CreateRoomResponse, error) {
	room, created, err := s.rooms.Create(ctx, actor(ctx), chat.NewRoom{
		MemberIDs: in.GetMemberIds(), Name: in.GetName(), ListingID: in.GetListingId(),
	})
	if err != nil {
		return nil, err
	}
	return &chatv1.CreateRoomResponse{Room: roomOf(&room), Created: created}, nil
}

// ListRooms asks for half of a page that turns out to be too large for an answer: the token must fit its end.
func (s *chatService) ListRooms(ctx context.Context, in *chatv1.ListRoomsRequest) (*chatv1.ListRoomsResponse, error) {
	limit := int(in.GetLimit())
	for {
		rooms, next, err := s.rooms.List(ctx, actor(ctx), limit, in.GetPageToken())
		if err != nil {
			return nil, err
		}
		out := &chatv1.ListRoomsResponse{Rooms: make([]*chatv1.RoomSummary, len(rooms)), NextPageToken: next}
		for i := range rooms {
			out.Rooms[i] = summaryOf(&rooms[i])
		}
		if len(rooms) <= 1 || proto.Size(out) <= maxPage {
			return out, nil
		}
		limit = len(rooms) / 2
	}
}

func (s *chatService) ListMembers(
	ctx context.Context, in *chatv1.ListMembersRequest,
) (*chatv1.ListMembersResponse, error) {
	members, err := s.rooms.Members(ctx, actor(ctx), in.GetChatRoomId())
	if err != nil {
		return nil, err
	}
	return &chatv1.ListMembersResponse{Members: membersOf(members)}, nil
}

func (s *chatService) AddMembers(
	ctx context.Context, in *chatv1.AddMembersRequest,
) (*chatv1.AddMembersResponse, error) {
	members, err := s.rooms.AddMembers(ctx, actor(ctx), in.GetChatRoomId(), in.GetMemberIds())
	if err != nil {
		return nil, err
	}
	return &chatv1.AddMembersResponse{Members: membersOf(members)}, nil
}

func (s *chatService) RemoveMember(
	ctx context.Context, in *chatv1.RemoveMemberRequest,
) (*chatv1.RemoveMemberResponse, error) {
	if err := s.rooms.RemoveMember(ctx, actor(ctx), in.GetChatRoomId(), in.GetUserId()); err != nil {
		return nil, err
	}
	return &chatv1.RemoveMemberResponse{}, nil
}

func (s *chatService) SendMessage(
	ctx context.Context, in *chatv1.SendMessageRequest,
) (*chatv1.SendMessageResponse, error) {
	attachment, err := object("attachment", in.GetAttachment())
	if err != nil {
		return nil, err
	}
	stored, err := s.messages.Send(ctx, chat.Draft{
		Room: in.GetChatRoomId(), SenderID: actor(ctx), ClientMessageID: in.GetClientMessageId(),
		Type: in.GetType(), Content: in.GetContent(), Attachment: attachment,
	})
	if err != nil {
		return nil, err
	}
	return &chatv1.SendMessageResponse{MessageId: stored.MessageID, Seq: stored.Seq, Duplicate: stored.Duplicate}, nil
}

func (s *chatService) EditMessage(
	ctx context.Context, in *chatv1.EditMessageRequest,
) (*chatv1.EditMessageResponse, error) {
	stored, err := s.messages.Edit(ctx, actor(ctx), in.GetChatRoomId(), in.GetSeq(), in.GetContent(),
		in.GetClientMessageId())
	if err != nil {
		return nil, err
	}
	return &chatv1.EditMessageResponse{MessageId: stored.MessageID, Seq: stored.Seq, Duplicate: stored.Duplicate}, nil
}

func (s *chatService) RecallMessage(
	ctx context.Context, in *chatv1.RecallMessageRequest,
) (*chatv1.RecallMessageResponse, error) {
	stored, err := s.messages.Recall(ctx, actor(ctx), in.GetChatRoomId(), in.GetSeq())
	if err != nil {
		return nil, err
	}
	return &chatv1.RecallMessageResponse{MessageId: stored.MessageID, Seq: stored.Seq, Duplicate: stored.Duplicate}, nil
}

func (s *chatService) ListMessages(
	ctx context.Context, in *chatv1.ListMessagesRequest,
) (*chatv1.ListMessagesResponse, error) {
	page := pageRange(in.GetBeforeSeq(), in.AfterSeq, in.GetLimit())
	events, head, err := s.messages.History(ctx, actor(ctx), in.GetChatRoomId(), page)
	if err != nil {
		return nil, err
	}
	return &chatv1.ListMessagesResponse{Events: pageEvents(events, page), HeadSeq: head}, nil
}

func (s *chatService) MarkRead(ctx context.Context, in *chatv1.MarkReadRequest) (*chatv1.MarkReadResponse, error) {
	lastRead, err := s.marks.Read(ctx, actor(ctx), in.GetChatRoomId(), in.GetSeq())
	if err != nil {
		return nil, err
	}
	return &chatv1.MarkReadResponse{LastReadSeq: lastRead}, nil
}

func (s *chatService) CheckAccess(
	ctx context.Context, in *chatv1.CheckAccessRequest,
) (*chatv1.CheckAccessResponse, error) {
	allowed, err := s.rooms.Allowed(ctx, actor(ctx), in.GetChatRoomId())
	if err != nil {
		return nil, err
	}
	return &chatv1.CheckAccessResponse{Allowed: allowed}, nil
}

func (s *chatService) ListInbox(ctx context.Context, in *chatv1.ListInboxRequest) (*chatv1.ListInboxResponse, error) {
	page := pageRange(in.GetBeforeSeq(), in.AfterSeq, in.GetLimit())
	events, head, err := s.inbox.List(ctx, actor(ctx), page)
	if err != nil {
		return nil, err
	}
	return &chatv1.ListInboxResponse{Events: pageEvents(events, page), HeadSeq: head}, nil
}

func (s *chatService) SendNotification(
	ctx context.Context, in *chatv1.SendNotificationRequest,
) (*chatv1.SendNotificationResponse, error) {
	data, err := object("data", in.GetData())
	if err != nil {
		return nil, err
	}
	stored, err := s.inbox.Notify(ctx, chat.Notification{
		UserID: in.GetUserId(), ID: in.GetNotificationId(), Type: in.GetType(),
		Title: in.GetTitle(), Content: in.GetContent(), Data: data,
	})
	if err != nil {
		return nil, err
	}
	id := in.GetNotificationId()
	if id == "" {
		id = stored.MessageID
	}
	return &chatv1.SendNotificationResponse{NotificationId: id, Seq: stored.Seq, Duplicate: stored.Duplicate}, nil
}

func (s *chatService) DisconnectUser(
	ctx context.Context, in *chatv1.DisconnectUserRequest,
) (*chatv1.DisconnectUserResponse, error) {
	var before time.Time
	if at := in.GetTokensIssuedBefore(); at != nil {
		if err := at.CheckValid(); err != nil {
			return nil, invalid("tokens_issued_before is no time: " + err.Error())
		}
		before = at.AsTime()
	}
	revoked, err := s.revoked.Revoke(ctx, in.GetUserId(), in.GetReason(), before)
	if err != nil {
		return nil, err
	}
	return &chatv1.DisconnectUserResponse{TokensIssuedBefore: timestamppb.New(revoked.IssuedBefore)}, nil
}
