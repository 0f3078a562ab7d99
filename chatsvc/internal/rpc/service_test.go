package rpc_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

func TestRoomsAndMembers(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	direct, err := r.chat.CreateRoom(r.as("alice"), &chatv1.CreateRoomRequest{MemberIds: []string{"bob"}, ListingId: "bike"})
	if err != nil {
		t.Fatal(err)
	}
	room := direct.GetRoom()
	if !direct.GetCreated() || !room.GetDirect() || room.GetCreatedBy() != "alice" || room.GetListingId() != "bike" ||
		strings.Join(room.GetMemberIds(), " ") != "alice bob" || room.GetCreatedAt().AsTime().IsZero() {
		t.Errorf("direct room is %v", direct)
	}
	again, err := r.chat.CreateRoom(r.as("bob"), &chatv1.CreateRoomRequest{MemberIds: []string{"alice"}, ListingId: "bike"})
	if err != nil || again.GetCreated() || again.GetRoom().GetChatRoomId() != room.GetChatRoomId() {
		t.Errorf("the same room again is %v, %v", again, err)
	}

	group := r.room("friends", "bob")
	added, err := r.chat.AddMembers(r.as("bob"), &chatv1.AddMembersRequest{ChatRoomId: group, MemberIds: []string{"卡罗"}})
	if err != nil || len(added.GetMembers()) != 1 || added.GetMembers()[0].GetUserId() != "卡罗" {
		t.Errorf("added %v, %v", added, err)
	}
	members, err := r.chat.ListMembers(r.as("卡罗"), &chatv1.ListMembersRequest{ChatRoomId: group})
	if err != nil || len(members.GetMembers()) != 3 ||
		members.GetMembers()[0].GetRole() != chatv1.MemberRole_MEMBER_ROLE_OWNER ||
		members.GetMembers()[1].GetRole() != chatv1.MemberRole_MEMBER_ROLE_MEMBER {
		t.Errorf("members are %v, %v", members, err)
	}

	r.say("alice", group, "hello")
	rooms, err := r.chat.ListRooms(r.as("bob"), &chatv1.ListRoomsRequest{Limit: 1})
	if err != nil || len(rooms.GetRooms()) != 1 || rooms.GetNextPageToken() == "" {
		t.Fatalf("first page of rooms is %v, %v", rooms, err)
	}
	first := rooms.GetRooms()[0]
	if first.GetRoom().GetChatRoomId() != group || first.GetHeadSeq() != 2 || first.GetUnreadCount() != 1 ||
		bodyOf(t, first.GetLastEvent()).Content != "hello" {
		t.Errorf("first room is %v", first)
	}
	rooms, err = r.chat.ListRooms(r.as("bob"), &chatv1.ListRoomsRequest{Limit: 1, PageToken: rooms.GetNextPageToken()})
	if err != nil || len(rooms.GetRooms()) != 1 || rooms.GetNextPageToken() != "" || rooms.GetRooms()[0].GetLastEvent() != nil {
		t.Errorf("second page of rooms is %v, %v", rooms, err)
	}
}

func TestMessagesAndMarks(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room := r.room("the room", "bob")
	attachment, err := structpb.NewStruct(map[string]any{"url": "https://cdn/x.png", "width": 640})
	if err != nil {
		t.Fatal(err)
	}
	in := &chatv1.SendMessageRequest{ChatRoomId: room, Type: "IMAGE", ClientMessageId: "c1", Attachment: attachment}
	for _, duplicate := range []bool{false, true} {
		out, err := r.chat.SendMessage(r.as("alice"), in)
		if err != nil || out.GetSeq() != 1 || out.GetDuplicate() != duplicate || out.GetMessageId() != chat.MessageID(room, 1) {
			t.Errorf("sent as %v, %v, want seq 1, duplicate %v", out, err, duplicate)
		}
	}
	if got := string(bodyOf(t, r.history("bob", room)[0]).Attachment); !strings.Contains(got, `"width":640`) {
		t.Errorf("attachment is %s", got)
	}
	for range 9 {
		r.say("alice", room, "more")
	}
	for name, tc := range map[string]struct {
		before int64
		after  *int64
		want   []int64
	}{
		"newest":      {0, nil, []int64{8, 9, 10}},
		"before":      {5, nil, []int64{2, 3, 4}},
		"after":       {0, new(int64(5)), []int64{6, 7, 8}},
		"after start": {0, new(int64(0)), []int64{1, 2, 3}},
		"after end":   {0, new(int64(10)), nil},
	} {
		out, err := r.chat.ListMessages(r.as("bob"), &chatv1.ListMessagesRequest{
			ChatRoomId: room, BeforeSeq: tc.before, AfterSeq: tc.after, Limit: 3,
		})
		if err != nil || out.GetHeadSeq() != 10 || !slices.Equal(seqs(out.GetEvents()), tc.want) {
			t.Errorf("%s: %v, head %d, %v, want %v", name, seqs(out.GetEvents()), out.GetHeadSeq(), err, tc.want)
		}
	}
	for _, tc := range []struct{ seq, want int64 }{{4, 4}, {2, 4}, {0, 10}} {
		out, err := r.chat.MarkRead(r.as("bob"), &chatv1.MarkReadRequest{ChatRoomId: room, Seq: tc.seq})
		if err != nil || out.GetLastReadSeq() != tc.want {
			t.Errorf("mark %d: %v, %v, want %d", tc.seq, out, err, tc.want)
		}
	}
}

func TestInbox(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	in := &chatv1.SendNotificationRequest{UserId: "bob", Type: "TRADE", Title: "Sold", NotificationId: "n1"}
	for _, duplicate := range []bool{false, true} {
		out, err := r.chat.SendNotification(r.ctx(), in) // in nobody's name
		if err != nil || out.GetNotificationId() != "n1" || out.GetSeq() != 1 || out.GetDuplicate() != duplicate {
			t.Errorf("notification is %v, %v", out, err)
		}
	}
	anonymous, err := r.chat.SendNotification(r.ctx(), &chatv1.SendNotificationRequest{UserId: "bob", Content: "more"})
	if err != nil || anonymous.GetNotificationId() == "" || anonymous.GetSeq() != 2 {
		t.Errorf("notification without an id is %v, %v", anonymous, err)
	}
	for user, want := range map[string][]int64{"bob": {1, 2}, "alice": nil} {
		out, err := r.chat.ListInbox(r.as(user), &chatv1.ListInboxRequest{})
		if err != nil || !slices.Equal(seqs(out.GetEvents()), want) {
			t.Errorf("inbox of %s: %v, %v, want %v", user, seqs(out.GetEvents()), err, want)
		}
	}
}

func TestLogsOfGateways(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room := r.room("the room", "bob")
	for range 5 {
		r.say("alice", room, "hi")
	}
	for name, tc := range map[string]struct {
		last *int64
		want []int64
	}{"from now on": {nil, nil}, "resume": {new(int64(3)), []int64{4, 5}}, "from the start": {new(int64(0)), []int64{1, 2, 3, 4, 5}}} {
		out, err := r.relay.Subscribe(r.ctx(), &chatv1.SubscribeRequest{UserId: "bob", Log: roomLog(room), LastSeq: tc.last})
		if err != nil || out.GetHeadSeq() != 5 || !slices.Equal(seqs(out.GetEvents()), tc.want) || out.GetGapFromSeq() != 0 {
			t.Errorf("%s: %v, %v, want %v", name, out, err, tc.want)
		}
	}
	stretch, err := r.relay.ReadLog(r.ctx(), &chatv1.ReadLogRequest{Log: roomLog(room), AfterSeq: 1, UpToSeq: 3})
	if err != nil || !slices.Equal(seqs(stretch.GetEvents()), []int64{2, 3}) || stretch.GetHeadSeq() != 5 {
		t.Errorf("stretch is %v, %v", stretch, err)
	}
	heads, err := r.relay.ReadHeads(r.ctx(), &chatv1.ReadHeadsRequest{
		Logs: []*chatv1.LogRef{inbox("bob"), roomLog(room), roomLog(room + 1), roomLog(room)},
	})
	if err != nil || len(heads.GetHeads()) != 4 {
		t.Fatalf("heads are %v, %v", heads, err)
	}
	for i, want := range []int64{0, 5, 0, 5} {
		if got := heads.GetHeads()[i].GetSeq(); got != want {
			t.Errorf("head %d is %d, want %d", i, got, want)
		}
	}
}

// TestSubscribeMany: each is answered for itself.
func TestSubscribeMany(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room := r.room("the room", "bob")
	r.say("alice", room, "hi")
	asked := []*chatv1.SubscribeRequest{
		{UserId: "bob", Log: roomLog(room)},
		{UserId: "mallory", Log: roomLog(room)},
		{UserId: "bob", Log: inbox("bob")},
		{UserId: "bob", Log: inbox("alice")},
		{UserId: "bob"},
		{UserId: "bob", Log: roomLog(room), LastSeq: new(int64)},
		{UserId: "alice", Log: roomLog(room)},
		{UserId: "alice", Log: roomLog(room + 1)},
	}
	want := []chatv1.Reason{
		0, chatv1.Reason_REASON_FORBIDDEN, 0, chatv1.Reason_REASON_FORBIDDEN, chatv1.Reason_REASON_INVALID,
		chatv1.Reason_REASON_INVALID, 0, chatv1.Reason_REASON_FORBIDDEN,
	}
	out, err := r.relay.SubscribeMany(r.ctx(), &chatv1.SubscribeManyRequest{Requests: asked})
	if err != nil || len(out.GetOutcomes()) != len(asked) {
		t.Fatalf("%v, %v", out, err)
	}
	for i, outcome := range out.GetOutcomes() {
		if outcome.GetRefusal().GetReason() != want[i] || (outcome.GetResponse() == nil) != (want[i] != 0) {
			t.Errorf("answer %d is %v, want the reason %v", i, outcome, want[i])
		}
	}
	for _, i := range []int{0, 6} {
		answer := out.GetOutcomes()[i].GetResponse()
		if answer.GetHeadSeq() != 1 || !slices.Equal(slices.Sorted(slices.Values(answer.GetMemberIds())), []string{"alice", "bob"}) {
			t.Errorf("answer %d is %v", i, answer)
		}
	}
	_, err = r.relay.SubscribeMany(r.ctx(), &chatv1.SubscribeManyRequest{Requests: slices.Repeat(asked, 9)})
	if !strings.HasPrefix(told(err), "TOO_LARGE: ") {
		t.Errorf("%d at once: %v, want a refusal", 9*len(asked), err)
	}
}

// Pages of large messages must fit into what callers take by default, 4 MiB, and still lead on.
func TestLargePagesFit(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	room := r.room("the room", "bob")
	l := r.line()
	const n = 400
	for range n {
		l.send("bob", plain(room, strings.Repeat("x", 16<<10)))
	}
	for id := uint64(1); id <= n; id++ {
		l.stored(id)
	}

	next := int64(1)
	for next <= n {
		out, err := r.relay.ReadLog(r.ctx(), &chatv1.ReadLogRequest{Log: roomLog(room), AfterSeq: next - 1})
		if err != nil || len(out.GetEvents()) == 0 || out.GetEvents()[0].GetSeq() != next {
			t.Fatalf("read after %d: %v, %v", next-1, seqs(out.GetEvents()), err)
		}
		next += int64(len(out.GetEvents()))
	}

	snapshot, err := r.relay.Subscribe(r.ctx(), &chatv1.SubscribeRequest{UserId: "bob", Log: roomLog(room), LastSeq: new(int64(10))})
	if err != nil {
		t.Fatal(err)
	}
	got := seqs(snapshot.GetEvents())
	if snapshot.GetGapFromSeq() != 11 || snapshot.GetGapToSeq() != got[0]-1 || got[len(got)-1] != n {
		t.Errorf("snapshot has the gap %d to %d and events %d to %d", snapshot.GetGapFromSeq(), snapshot.GetGapToSeq(),
			got[0], got[len(got)-1])
	}

	newest, err := r.chat.ListMessages(r.as("bob"), &chatv1.ListMessagesRequest{ChatRoomId: room, Limit: 1000})
	if got := seqs(newest.GetEvents()); err != nil || len(got) == 0 || got[len(got)-1] != n {
		t.Errorf("newest page: %d events, %v", len(got), err)
	}
	oldest, err := r.chat.ListMessages(r.as("bob"), &chatv1.ListMessagesRequest{ChatRoomId: room, AfterSeq: new(int64), Limit: 1000})
	if got := seqs(oldest.GetEvents()); err != nil || len(got) == 0 || got[0] != 1 {
		t.Errorf("oldest page: %d events, %v", len(got), err)
	}
}

// A list of rooms whose last messages are large comes in shorter pages that still name every room.
func TestLargeListOfRoomsFits(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	l := r.line()
	const n = 60
	for range n {
		l.send("alice", plain(r.room("the room", "bob"), strings.Repeat("\x01", 16<<10))) // 96 KiB of JSON each
	}
	for id := uint64(1); id <= n; id++ {
		l.stored(id)
	}
	seen, token := map[int64]bool{}, ""
	for {
		out, err := r.chat.ListRooms(r.as("bob"), &chatv1.ListRoomsRequest{Limit: 100, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range out.GetRooms() {
			seen[s.GetRoom().GetChatRoomId()] = true
		}
		if token = out.GetNextPageToken(); token == "" {
			break
		}
	}
	if len(seen) != n {
		t.Errorf("%d rooms are listed, want %d", len(seen), n)
	}
}

func seqs(events []*chatv1.Event) []int64 {
	out := make([]int64, len(events))
	for i, e := range events {
		out[i] = e.GetSeq()
	}
	return out
}
