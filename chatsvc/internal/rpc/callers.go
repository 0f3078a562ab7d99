package rpc

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"

	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
	"github.com/fliliy/chat/proto/identity"
)

// Role is what a caller is to the chat service; roles of a method are joined with |.
type Role uint8

// The roles of callers.
const (
	RoleGateway Role = 1 << iota // brings users: the relay, and what REST offers
	RoleService                  // an internal service: rooms, messages, notifications; never the relay
	everybody                    // even without a credential
)

// methods says who may call what. What does not stand here nobody may call.
var methods = map[string]Role{
	chatv1.ChatService_CreateRoom_FullMethodName:       RoleGateway | RoleService,
	chatv1.ChatService_ListRooms_FullMethodName:        RoleGateway | RoleService,
	chatv1.ChatService_ListMembers_FullMethodName:      RoleGateway | RoleService,
	chatv1.ChatService_AddMembers_FullMethodName:       RoleGateway | RoleService,
	chatv1.ChatService_RemoveMember_FullMethodName:     RoleGateway | RoleService,
	chatv1.ChatService_SendMessage_FullMethodName:      RoleGateway | RoleService,
	chatv1.ChatService_EditMessage_FullMethodName:      RoleGateway | RoleService,
	chatv1.ChatService_RecallMessage_FullMethodName:    RoleGateway | RoleService,
	chatv1.ChatService_ListMessages_FullMethodName:     RoleGateway | RoleService,
	chatv1.ChatService_MarkRead_FullMethodName:         RoleGateway | RoleService,
	chatv1.ChatService_CheckAccess_FullMethodName:      RoleGateway | RoleService,
	chatv1.ChatService_ListInbox_FullMethodName:        RoleGateway | RoleService,
	chatv1.ChatService_GetPresence_FullMethodName:      RoleGateway | RoleService,
	chatv1.ChatService_ListOnlineUsers_FullMethodName:  RoleGateway | RoleService,
	chatv1.ChatService_CountPresence_FullMethodName:    RoleService,
	chatv1.ChatService_SendNotification_FullMethodName: RoleService,
	chatv1.ChatService_DisconnectUser_FullMethodName:   RoleService,
	chatv1.ChatService_SetMemberState_FullMethodName:   RoleService,

	chatv1.RelayService_Relay_FullMethodName:           RoleGateway,
	chatv1.RelayService_Subscribe_FullMethodName:       RoleGateway,
	chatv1.RelayService_SubscribeMany_FullMethodName:   RoleGateway,
	chatv1.RelayService_ReadLog_FullMethodName:         RoleGateway,
	chatv1.RelayService_ReadHeads_FullMethodName:       RoleGateway,
	chatv1.RelayService_ListRevocations_FullMethodName: RoleGateway,
	chatv1.RelayService_ReportStatuses_FullMethodName:  RoleGateway,

	healthv1.Health_Check_FullMethodName: everybody,
	healthv1.Health_Watch_FullMethodName: everybody,
}

// Caller is a service that may call, and as what.
type Caller struct {
	identity.Credential
	Role Role
}

// callers tells callers apart by their secrets. nil asks nobody for one: for a server that only its own machine can
// reach.
type callers map[string]knownCaller

type knownCaller struct {
	secret [sha256.Size]byte // of the secret: what is compared has one length
	role   Role
}

func newCallers(all []Caller) callers {
	if len(all) == 0 {
		return nil
	}
	known := make(callers, len(all))
	for _, c := range all {
		known[c.Name] = knownCaller{sha256.Sum256([]byte(c.Secret)), c.Role}
	}
	return known
}

// admit says whether a call may go on. How long it takes to refuse a credential tells nothing about secrets.
func (c callers) admit(ctx context.Context, method string) error {
	allowed := methods[method]
	if c == nil || allowed&everybody != 0 {
		return nil
	}
	shown, ok := identity.Caller(ctx)
	known := c[shown.Name]
	given := sha256.Sum256([]byte(shown.Secret))
	if subtle.ConstantTimeCompare(given[:], known.secret[:]) != 1 || !ok || known.role == 0 {
		return &chat.Error{
			Code:    codeUnauthenticated,
			Message: "the call has no credential that is known here: send authorization \"Bearer name:secret\"",
		}
	}
	if allowed&known.role == 0 {
		return &chat.Error{
			Code: chat.Forbidden, Message: "caller " + shown.Name + " may not call " + method + ": its role is another",
		}
	}
	return nil
}

func (c callers) unary(ctx context.Context, in any, info *grpc.UnaryServerInfo, call grpc.UnaryHandler) (any, error) {
	if err := c.admit(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return call(ctx, in)
}

func (c callers) stream(
	srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, serve grpc.StreamHandler,
) error {
	if err := c.admit(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	return serve(srv, stream)
}
