package rpc_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

func TestDisconnectUser(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	before := time.Now().Add(-time.Minute).Truncate(time.Second).Add(time.Millisecond)
	out, err := r.chat.DisconnectUser(r.ctx(), &chatv1.DisconnectUserRequest{
		UserId: "alice", Reason: "password changed", TokensIssuedBefore: timestamppb.New(before),
	})
	// "iat" is a whole second: that of the moment was before it.
	whole := before.Truncate(time.Second).Add(time.Second)
	if err != nil || !out.GetTokensIssuedBefore().AsTime().Equal(whole) {
		t.Fatalf("DisconnectUser = %v, %v; want %v", out, err, whole)
	}
	if _, err := r.chat.DisconnectUser(r.ctx(), &chatv1.DisconnectUserRequest{UserId: "bob"}); err != nil {
		t.Fatalf("DisconnectUser without more: %v", err)
	}
	list, err := r.relay.ListRevocations(r.ctx(), &chatv1.ListRevocationsRequest{})
	if err != nil || len(list.GetRevocations()) != 2 {
		t.Fatalf("ListRevocations = %v, %v; want two", list, err)
	}
	alice, bob := list.GetRevocations()[0], list.GetRevocations()[1]
	if alice.GetUserId() != "alice" || alice.GetReason() != "password changed" || !alice.GetIssuedBefore().AsTime().Equal(whole) ||
		alice.GetUntil().AsTime().Before(whole.Add(time.Hour)) {
		t.Errorf("the first is %v", alice)
	}
	if bob.GetUserId() != "bob" || bob.GetNumber() != list.GetHead() || bob.GetNumber() <= alice.GetNumber() {
		t.Errorf("the second is %v, head %d", bob, list.GetHead())
	}
	next, err := r.relay.ListRevocations(r.ctx(), &chatv1.ListRevocationsRequest{After: alice.GetNumber()})
	if err != nil || len(next.GetRevocations()) != 1 || next.GetRevocations()[0].GetUserId() != "bob" {
		t.Errorf("after the first: %v, %v", next, err)
	}
	r.posted.mu.Lock()
	defer r.posted.mu.Unlock()
	if got := r.posted.herald; len(got) != 2 || got[0] != alice.GetNumber() || got[1] != bob.GetNumber() {
		t.Errorf("gateways were told of %v", got)
	}
}

func TestDisconnectUserRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{})
	for name, in := range map[string]*chatv1.DisconnectUserRequest{
		"nobody":           {},
		"no user id":       {UserId: "a\nb"},
		"a long reason":    {UserId: "alice", Reason: strings.Repeat("x", 257)},
		"a reason in rows": {UserId: "alice", Reason: "a\nb"},
		"the future":       {UserId: "alice", TokensIssuedBefore: timestamppb.New(time.Now().Add(time.Hour))},
		"no time":          {UserId: "alice", TokensIssuedBefore: &timestamppb.Timestamp{Seconds: 1 << 60}},
	} {
		_, err := r.chat.DisconnectUser(r.ctx(), in)
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v, want it refused as INVALID", name, err)
		}
	}
	_, err := r.relay.ListRevocations(r.ctx(), &chatv1.ListRevocationsRequest{After: -1})
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("a negative number: %v, want it refused as INVALID", err)
	}
}
