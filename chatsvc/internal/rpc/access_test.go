package rpc_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fliliy/chat/chatsvc/internal/rpc"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// operations are all that a user can do with a room, by gRPC and on the relay stream.
var operations = map[string]func(r *rig, user string, room int64) error{
	"SendMessage": func(r *rig, user string, room int64) error {
		_, err := r.chat.SendMessage(r.as(user), &chatv1.SendMessageRequest{ChatRoomId: room, Content: "hi"})
		return err
	},
	"ListMessages": func(r *rig, user string, room int64) error {
		_, err := r.chat.ListMessages(r.as(user), &chatv1.ListMessagesRequest{ChatRoomId: room})
		return err
	},
	"MarkRead": func(r *rig, user string, room int64) error {
		_, err := r.chat.MarkRead(r.as(user), &chatv1.MarkReadRequest{ChatRoomId: room})
		return err
	},
	"ListMembers": func(r *rig, user string, room int64) error {
		_, err := r.chat.ListMembers(r.as(user), &chatv1.ListMembersRequest{ChatRoomId: room})
		return err
	},
	"AddMembers": func(r *rig, user string, room int64) error {
		_, err := r.chat.AddMembers(r.as(user), &chatv1.AddMembersRequest{ChatRoomId: room, MemberIds: []string{"bob"}})
		return err
	},
	"RemoveMember, nobody": func(r *rig, user string, room int64) error {
		if user == "bob" {
			user = "alice" // only the owner may
		}
		_, err := r.chat.RemoveMember(r.as(user), &chatv1.RemoveMemberRequest{ChatRoomId: room, UserId: "nobody"})
		return err
	},
	"Subscribe": func(r *rig, user string, room int64) error {
		_, err := r.relay.Subscribe(r.ctx(), &chatv1.SubscribeRequest{UserId: user, Log: roomLog(room)})
		return err
	},
	"relay send": func(r *rig, user string, room int64) error {
		return relayed(r, user, say(room, `{"content":"hi"}`))
	},
	"relay read": func(r *rig, user string, room int64) error { return relayed(r, user, read(room, "")) },
	"relay delivered": func(r *rig, user string, room int64) error {
		return relayed(r, user, delivered(room, `{"seq":1}`))
	},
	"relay typing": func(r *rig, user string, room int64) error {
		return relayed(r, user, typing(room))
	},
	"RemoveMember, herself": func(r *rig, user string, room int64) error {
		if user == "bob" {
			user = "leaver"
		}
		_, err := r.chat.RemoveMember(r.as(user), &chatv1.RemoveMemberRequest{ChatRoomId: room, UserId: user})
		return err
	},
}

func roomLog(room int64) *chatv1.LogRef {
	return &chatv1.LogRef{Log: &chatv1.LogRef_ChatRoomId{ChatRoomId: room}}
}

func inbox(user string) *chatv1.LogRef {
	return &chatv1.LogRef{Log: &chatv1.LogRef_UserId{UserId: user}}
}

// relayed makes the outcome of a relay command look like that of a call.
func relayed(r *rig, user string, a *chatv1.Action) error {
	l := r.line()
	refusal := l.result(l.send(user, a)).GetRefusal()
	if refusal == nil {
		return nil
	}
	st, err := status.New(codes.PermissionDenied, refusal.GetMessage()).WithDetails(&errdetails.ErrorInfo{
		Reason: strings.TrimPrefix(refusal.GetReason().String(), "REASON_"), Domain: rpc.Domain,
	})
	if err != nil {
		return err
	}
	return st.Err()
}

func TestAccess(t *testing.T) {
	t.Parallel()
	for name, do := range operations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, setup{})
			room := r.room("the room", "bob", "former", "leaver")
			r.say("alice", room, "hello")
			if _, err := r.chat.RemoveMember(r.as("alice"), &chatv1.RemoveMemberRequest{
				ChatRoomId: room, UserId: "former",
			}); err != nil {
				t.Fatalf("remove: %v", err)
			}
			if err := do(r, "bob", room); err != nil {
				t.Errorf("a member: %v", err)
			}
			before := len(r.history("alice", room))
			for who, ask := range map[string]struct {
				user string
				room int64
			}{
				"a former member": {"former", room},
				"a stranger":      {"stranger", room},
				"no such room":    {"bob", room + 1_000_000},
				"room 0":          {"bob", 0},
				"a negative room": {"bob", -room},
			} {
				if strings.HasPrefix(name, "RemoveMember") && ask.user == "bob" {
					ask.user = "stranger"
				}
				err := do(r, ask.user, ask.room)
				want := fmt.Sprintf("FORBIDDEN: room %d does not exist, or you are not a member of it", ask.room)
				if got := told(err); got != want {
					t.Errorf("%s is told %q, want %q", who, got, want)
				}
			}
			if after := len(r.history("alice", room)); after != before {
				t.Errorf("the refused operations left %d events", after-before)
			}
		})
	}
}

// told is the contract's code and the text of a refusal.
func told(err error) string {
	st := status.Convert(err)
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() == rpc.Domain {
			return info.GetReason() + ": " + st.Message()
		}
	}
	return "no refusal: " + st.String()
}

func TestCheckAccess(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room := r.room("the room", "bob")
	for _, tc := range []struct {
		user string
		room int64
		want bool
	}{{"bob", room, true}, {"stranger", room, false}, {"bob", room + 1, false}, {"bob", 0, false}} {
		out, err := r.chat.CheckAccess(r.as(tc.user), &chatv1.CheckAccessRequest{ChatRoomId: tc.room})
		if err != nil || out.GetAllowed() != tc.want {
			t.Errorf("%s in room %d: %v, %v, want %v", tc.user, tc.room, out.GetAllowed(), err, tc.want)
		}
	}
}

func TestInboxIsForItsUserOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	for user, want := range map[string]codes.Code{"bob": codes.OK, "alice": codes.PermissionDenied} {
		_, err := r.relay.Subscribe(r.ctx(), &chatv1.SubscribeRequest{UserId: user, Log: inbox("bob")})
		if status.Code(err) != want {
			t.Errorf("%s subscribes bob's inbox: %v, want %v", user, err, want)
		}
	}
}

func TestActingUser(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	for name, ctx := range map[string]context.Context{
		"none":      r.ctx(),
		"empty":     r.as(""),
		"too long":  r.as(strings.Repeat("x", 129)),
		"a control": r.as("al\nice"),
	} {
		_, err := r.chat.ListRooms(ctx, &chatv1.ListRoomsRequest{})
		if status.Code(err) != codes.Unauthenticated || !strings.HasPrefix(told(err), "UNAUTHENTICATED: ") {
			t.Errorf("%s: %v, want UNAUTHENTICATED", name, err)
		}
	}
	twice := r.as("alice")
	if _, err := r.chat.ListRooms(contextAs(twice, "bob"), &chatv1.ListRoomsRequest{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("two users: %v, want UNAUTHENTICATED", err)
	}
	for i := range 3 {
		user := "alice" + strconv.Itoa(i)
		if _, err := r.chat.ListRooms(r.as(user), &chatv1.ListRoomsRequest{}); err != nil {
			t.Errorf("%s: %v", user, err)
		}
	}
}
