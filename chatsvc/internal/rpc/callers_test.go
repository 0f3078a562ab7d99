package rpc_test

import (
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/fliliy/chat/chatsvc/internal/rpc"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
	"github.com/fliliy/chat/proto/identity"
)

var (
	edge   = identity.Credential{Name: "gateway", Secret: strings.Repeat("g", identity.MinSecret)}
	orders = identity.Credential{Name: "orders", Secret: strings.Repeat("o", identity.MinSecret)}
)

// ofServicesOnly and ofGatewaysOnly are the methods that one role does not share with the other.
var (
	ofServicesOnly = map[string]bool{
		"ChatService/SendNotification": true, "ChatService/DisconnectUser": true,
		"ChatService/CountPresence": true, "ChatService/SetMemberState": true,
	}
	ofGatewaysOnly = map[string]bool{
		"RelayService/Relay": true, "RelayService/Subscribe": true, "RelayService/ReadLog": true,
		"RelayService/ReadHeads": true, "RelayService/ListRevocations": true, "RelayService/SubscribeMany": true,
		"RelayService/ReportStatuses": true,
	}
)

// TestThreat34MethodsByCaller calls every method of every service as everybody. A method that the table of the server
// has forgotten is refused to all, and fails here.
func TestThreat34MethodsByCaller(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{options: rpc.Options{Callers: []rpc.Caller{
		{Credential: edge, Role: rpc.RoleGateway}, {Credential: orders, Role: rpc.RoleService},
	}}})
	who := map[string]*identity.Credential{
		"nobody": nil, "a gateway": &edge, "a service": &orders,
		"an unknown one":           {Name: "mallory", Secret: edge.Secret},
		"a gateway without secret": {Name: "gateway"},
		"no name":                  {},
		"another's secret":         {Name: "gateway", Secret: orders.Secret},
		"part of the secret":       {Name: "gateway", Secret: edge.Secret[1:]},
	}
	for _, service := range []grpc.ServiceDesc{chatv1.ChatService_ServiceDesc, chatv1.RelayService_ServiceDesc} {
		var all []string
		for _, m := range service.Methods {
			all = append(all, m.MethodName)
		}
		for _, s := range service.Streams {
			all = append(all, s.StreamName)
		}
		short := strings.TrimPrefix(service.ServiceName, "fliliy.chat.v1.") + "/"
		for _, method := range all {
			for name, credential := range who {
				want := codes.Unauthenticated
				switch {
				case credential == &edge && !ofServicesOnly[short+method],
					credential == &orders && !ofGatewaysOnly[short+method]:
					want = codes.OK
				case credential == &edge, credential == &orders:
					want = codes.PermissionDenied
				}
				if got := r.knock("/"+service.ServiceName+"/"+method, credential); got != want {
					t.Errorf("%s calls %s%s: %s, want %s", name, short, method, got, want)
				}
			}
		}
	}
	if _, err := healthv1.NewHealthClient(r.conn).Check(r.ctx(), &healthv1.HealthCheckRequest{}); err != nil {
		t.Errorf("health without a credential: %v", err)
	}
}

// knock calls a method as alice with nothing to say, and returns whether the caller was let in: what is said to her
// behind the door does not count. A stream is asked by its first answer, or its end.
func (r *rig) knock(method string, credential *identity.Credential) codes.Code {
	options := []grpc.CallOption{}
	if credential != nil {
		options = append(options, grpc.PerRPCCredentials(credential))
	}
	var err error
	if method == chatv1.RelayService_Relay_FullMethodName {
		var stream grpc.ClientStream
		stream, err = r.conn.NewStream(r.as("alice"), &chatv1.RelayService_ServiceDesc.Streams[0], method, options...)
		if err == nil {
			_ = stream.CloseSend()
			err = stream.RecvMsg(new(emptypb.Empty))
		}
	} else {
		err = r.conn.Invoke(r.as("alice"), method, &emptypb.Empty{}, new(emptypb.Empty), options...)
	}
	text := status.Convert(err).Message()
	if strings.Contains(text, "no credential that is known") || strings.Contains(text, "may not call") {
		return status.Code(err)
	}
	return codes.OK
}
