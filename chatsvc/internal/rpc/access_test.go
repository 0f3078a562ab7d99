package rpc_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fliliy/chat/chatsvc/internal/rpc"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// operation is something that a user can do with a room, by gRPC or on the relay stream.
type operation struct {
	muted bool // may a muted member do it
	do    func(r *rig, user string, room, own int64) error
}

// operations are all there are. own is the seq of a message of the user's.
var operations = map[string]operation{
	"SendMessage": {false, func(r *rig, user string, room, _ int64) error {
		_, err := r.chat.SendMessage(r.as(user), &chatv1.SendMessageRequest{ChatRoomId: room, Content: "hi"})
		return err
	}},
	"EditMessage": {false, func(r *rig, user string, room, own int64) error {
		_, err := r.chat.EditMessage(r.as(user), &chatv1.EditMessageRequest{ChatRoomId: room, Seq: own, Content: "x"})
		return err
	}},
	"RecallMessage": {true, func(r *rig, user string, room, own int64) error {
		_, err := r.chat.RecallMessage(r.as(user), &chatv1.RecallMessageRequest{ChatRoomId: room, Seq: own})
		return err
	}},
	"ListMessages": {true, func(r *rig, user string, room, _ int64) error {
		_, err := r.chat.ListMessages(r.as(user), &chatv1.ListMessagesRequest{ChatRoomId: room})
		return err
	}},
	"MarkRead": {true, func(r *rig, user string, room, _ int64) error {
		_, err := r.chat.MarkRead(r.as(user), &chatv1.MarkReadRequest{ChatRoomId: room})
		return err
	}},
	"ListMembers": {true, func(r *rig, user string, room, _ int64) error {
		_, err := r.chat.ListMembers(r.as(user), &chatv1.ListMembersRequest{ChatRoomId: room})
		return err
	}},
	"ListOnlineUsers": {true, func(r *rig, user string, room, _ int64) error {
		_, err := r.chat.ListOnlineUsers(r.as(user), &chatv1.ListOnlineUsersRequest{ChatRoomId: room})
		return err
	}},
	"AddMembers": {false, func(r *rig, user string, room, _ int64) error {
		_, err := r.chat.AddMembers(r.as(user), &chatv1.AddMembersRequest{ChatRoomId: room, MemberIds: []string{"bob"}})
		return err
	}},
	"AddMembers, herself": {false, func(r *rig, user string, room, _ int64) error {
		_, err := r.chat.AddMembers(r.as(user), &chatv1.AddMembersRequest{ChatRoomId: room, MemberIds: []string{user}})
		return err
	}},
	"RemoveMember, nobody": {false, func(r *rig, user string, room, _ int64) error {
		if user == "bob" {
			user = "alice" // only the owner may
		}
		_, err := r.chat.RemoveMember(r.as(user), &chatv1.RemoveMemberRequest{ChatRoomId: room, UserId: "nobody"})
		return err
	}},
	"RemoveMember, herself": {true, func(r *rig, user string, room, _ int64) error {
		if user == "bob" {
			user = "leaver"
		}
		_, err := r.chat.RemoveMember(r.as(user), &chatv1.RemoveMemberRequest{ChatRoomId: room, UserId: user})
		return err
	}},
	"Subscribe": {true, func(r *rig, user string, room, _ int64) error {
		_, err := r.relay.Subscribe(r.ctx(), &chatv1.SubscribeRequest{UserId: user, Log: roomLog(room)})
		return err
	}},
	"Subscribe, resuming": {true, func(r *rig, user string, room, _ int64) error {
		_, err := r.relay.Subscribe(r.ctx(), &chatv1.SubscribeRequest{UserId: user, Log: roomLog(room), LastSeq: new(int64)})
		return err
	}},
	"relay send": {false, func(r *rig, user string, room, _ int64) error {
		return relayed(r, user, say(room, `{"content":"hi"}`))
	}},
	"relay edit": {false, func(r *rig, user string, room, own int64) error {
		return relayed(r, user, edit(room, fmt.Sprintf(`{"seq":%d,"content":"x"}`, own)))
	}},
	"relay recall": {true, func(r *rig, user string, room, own int64) error {
		return relayed(r, user, recall(room, fmt.Sprintf(`{"seq":%d}`, own)))
	}},
	"relay read": {true, func(r *rig, user string, room, _ int64) error {
		return relayed(r, user, read(room, ""))
	}},
	"relay delivered": {true, func(r *rig, user string, room, _ int64) error {
		return relayed(r, user, delivered(room, `{"seq":1}`))
	}},
	"relay typing": {false, func(r *rig, user string, room, _ int64) error {
		return relayed(r, user, typing(room))
	}},
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

// peopled makes a room with one of each state, who all have said something, and returns what each said last.
func peopled(t *testing.T, r *rig) (room int64, own map[string]int64) {
	t.Helper()
	everybody := []string{"bob", "leaver", "former", "banned", "muted"}
	room, own = r.room("the room", everybody...), map[string]int64{}
	for _, user := range everybody {
		own[user] = r.say(user, room, "hello")
	}
	if _, err := r.chat.RemoveMember(r.as("alice"), &chatv1.RemoveMemberRequest{
		ChatRoomId: room, UserId: "former",
	}); err != nil {
		t.Fatalf("remove: %v", err)
	}
	r.moderate(room, "banned", chatv1.MemberState_MEMBER_STATE_BANNED)
	r.moderate(room, "never", chatv1.MemberState_MEMBER_STATE_BANNED)
	r.moderate(room, "muted", chatv1.MemberState_MEMBER_STATE_MUTED)
	return room, own
}

func (r *rig) moderate(room int64, user string, state chatv1.MemberState) {
	r.tb.Helper()
	out, err := r.chat.SetMemberState(r.ctx(), &chatv1.SetMemberStateRequest{ChatRoomId: room, UserId: user, State: state})
	if err != nil || !out.GetChanged() {
		r.tb.Fatalf("%s becomes %v: %v, error %v", user, state, out, err)
	}
}

// TestThreat16Operations has everybody do everything. Who is not in the room hears the same as of a room that does not
// exist, and leaves no trace.
func TestThreat16Operations(t *testing.T) {
	t.Parallel()
	for name, op := range operations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, setup{})
			room, own := peopled(t, r)
			if err := op.do(r, "bob", room, own["bob"]); err != nil {
				t.Errorf("a member: %v", err)
			}
			before := len(r.history("alice", room))
			posted := len(r.posted.all())
			for who, ask := range map[string]struct {
				user string
				room int64
			}{
				"a former member": {"former", room},
				"who is banned":   {"banned", room},
				"banned unseen":   {"never", room},
				"a stranger":      {"stranger", room},
				"no such room":    {"stranger", room + 1_000_000},
				"room 0":          {"stranger", 0},
				"a negative room": {"stranger", -room},
			} {
				err := op.do(r, ask.user, ask.room, max(own[ask.user], 1))
				want := fmt.Sprintf("FORBIDDEN: room %d does not exist, or you are not a member of it", ask.room)
				if got := told(err); got != want {
					t.Errorf("%s is told %q, want %q", who, got, want)
				}
			}
			err := op.do(r, "muted", room, own["muted"])
			if muted := strings.HasPrefix(told(err), "FORBIDDEN: you are muted"); muted == op.muted || op.muted && err != nil {
				t.Errorf("a muted member: %v, want allowed %v", err, op.muted)
			}
			if op.muted {
				return
			}
			if after := len(r.history("alice", room)); after != before {
				t.Errorf("the refused operations left %d events", after-before)
			}
			if after := len(r.posted.all()); after != posted {
				t.Errorf("the refused operations told %d events", after-posted)
			}
		})
	}
}

// TestThreat16Lists looks where nobody names the room: it is not there, and neither are its people.
func TestThreat16Lists(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room, _ := peopled(t, r)
	for user, in := range map[string]bool{
		"bob": true, "muted": true, "former": false, "banned": false, "never": false, "stranger": false,
	} {
		rooms, err := r.chat.ListRooms(r.as(user), &chatv1.ListRoomsRequest{})
		if err != nil || (len(rooms.GetRooms()) == 1) != in {
			t.Errorf("%s lists %d rooms, error %v", user, len(rooms.GetRooms()), err)
		}
		access, err := r.chat.CheckAccess(r.as(user), &chatv1.CheckAccessRequest{ChatRoomId: room})
		if err != nil || access.GetAllowed() != in {
			t.Errorf("%s is allowed %v, error %v", user, access.GetAllowed(), err)
		}
		presence, err := r.chat.GetPresence(r.as(user), &chatv1.GetPresenceRequest{UserIds: []string{"alice"}})
		if err != nil || (len(presence.GetPresence()) == 1) != in {
			t.Errorf("%s sees %v of alice, error %v", user, presence.GetPresence(), err)
		}
		before := len(r.posted.all())
		if _, err := r.relay.ReportStatuses(r.ctx(), &chatv1.ReportStatusesRequest{
			Reports: []*chatv1.StatusReport{{UserId: user, Status: "away", At: timestamppb.Now()}},
		}); err != nil || (len(r.posted.all()) > before) != in {
			t.Errorf("the status of %s: %d told, error %v", user, len(r.posted.all())-before, err)
		}
	}
	members, err := r.chat.ListMembers(r.as("bob"), &chatv1.ListMembersRequest{ChatRoomId: room})
	if err != nil || len(members.GetMembers()) != 4 {
		t.Fatalf("members are %v, error %v", members, err)
	}
	for _, m := range members.GetMembers() {
		want := chatv1.MemberState_MEMBER_STATE_MEMBER
		if m.GetUserId() == "muted" {
			want = chatv1.MemberState_MEMBER_STATE_MUTED
		}
		if m.GetState() != want || m.GetMutedUntil() != nil {
			t.Errorf("%s is %v until %v, want %v", m.GetUserId(), m.GetState(), m.GetMutedUntil(), want)
		}
	}
}

func TestSetMemberState(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room := r.room("the room", "bob")
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	set := func(in *chatv1.SetMemberStateRequest) (bool, error) {
		in.ChatRoomId = room
		out, err := r.chat.SetMemberState(r.ctx(), in)
		return out.GetChanged(), err
	}
	muted := &chatv1.SetMemberStateRequest{
		UserId: "bob", State: chatv1.MemberState_MEMBER_STATE_MUTED, Until: timestamppb.New(until),
	}
	for i, want := range []bool{true, false} {
		if changed, err := set(muted); err != nil || changed != want {
			t.Errorf("call %d: changed %v, error %v", i+1, changed, err)
		}
	}
	body := shown(t, r.history("alice", room)[0])
	if at := until.Format("2006-01-02T15:04:05.000Z"); body["change"] != "muted" || body["userId"] != "bob" || body["until"] != at {
		t.Errorf("the event is %v, want until %s", body, at)
	}
	members, err := r.chat.ListMembers(r.as("bob"), &chatv1.ListMembersRequest{ChatRoomId: room})
	if err != nil || !members.GetMembers()[1].GetMutedUntil().AsTime().Equal(until) {
		t.Errorf("members are %v, error %v", members, err)
	}
	for name, in := range map[string]*chatv1.SetMemberStateRequest{
		"no state":      {UserId: "bob"},
		"unknown state": {UserId: "bob", State: 99},
		"no time": {
			UserId: "bob", State: chatv1.MemberState_MEMBER_STATE_MUTED, Until: &timestamppb.Timestamp{Nanos: -1},
		},
		"an old time": {
			UserId: "bob", State: chatv1.MemberState_MEMBER_STATE_BANNED, Until: timestamppb.New(time.Unix(1, 0)),
		},
	} {
		if _, err := set(in); !strings.HasPrefix(told(err), "INVALID: ") {
			t.Errorf("%s: %v, want INVALID", name, err)
		}
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

func TestThreat13InboxIsForItsUserOnly(t *testing.T) {
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
