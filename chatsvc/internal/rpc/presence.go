package rpc

import (
	"context"

	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

func (s *chatService) GetPresence(
	ctx context.Context, in *chatv1.GetPresenceRequest,
) (*chatv1.GetPresenceResponse, error) {
	presence, err := s.statuses.Of(ctx, actor(ctx), in.GetUserIds())
	if err != nil {
		return nil, err
	}
	return &chatv1.GetPresenceResponse{Presence: presenceOf(presence)}, nil
}

func (s *chatService) ListOnlineUsers(
	ctx context.Context, in *chatv1.ListOnlineUsersRequest,
) (*chatv1.ListOnlineUsersResponse, error) {
	online, err := s.statuses.Online(ctx, actor(ctx), in.GetChatRoomId())
	if err != nil {
		return nil, err
	}
	return &chatv1.ListOnlineUsersResponse{
		Online: presenceOf(online.Users), Truncated: online.Truncated, Known: online.Known,
	}, nil
}

func (s *chatService) CountPresence(
	ctx context.Context, in *chatv1.CountPresenceRequest,
) (*chatv1.CountPresenceResponse, error) {
	online, open, known, err := s.statuses.Count(ctx, in.GetChatRoomIds())
	if err != nil {
		return nil, err
	}
	out := &chatv1.CountPresenceResponse{OnlineCount: online, Known: known}
	for i, room := range in.GetChatRoomIds() {
		out.Rooms = append(out.Rooms, &chatv1.RoomPresenceCount{ChatRoomId: room, OpenCount: open[i]})
	}
	return out, nil
}
