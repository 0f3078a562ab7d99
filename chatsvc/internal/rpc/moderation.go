package rpc

import (
	"context"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// states are the use case's words for those of the contract.
var states = map[chatv1.MemberState]chat.State{
	chatv1.MemberState_MEMBER_STATE_MEMBER: chat.StateMember,
	chatv1.MemberState_MEMBER_STATE_MUTED:  chat.StateMuted,
	chatv1.MemberState_MEMBER_STATE_BANNED: chat.StateBanned,
}

func (s *chatService) SetMemberState(
	ctx context.Context, in *chatv1.SetMemberStateRequest,
) (*chatv1.SetMemberStateResponse, error) {
	var until time.Time
	if at := in.GetUntil(); at != nil {
		if err := at.CheckValid(); err != nil {
			return nil, invalid("until is no time: " + err.Error())
		}
		until = at.AsTime()
	}
	changed, err := s.rooms.Moderate(ctx, in.GetChatRoomId(), in.GetUserId(), states[in.GetState()], until)
	if err != nil {
		return nil, err
	}
	return &chatv1.SetMemberStateResponse{Changed: changed}, nil
}
