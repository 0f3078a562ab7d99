package wire_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/wire"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

func TestEvent(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   *chatv1.Event
		want event.Event // without the frame
		body string
	}{
		{
			"message",
			&chatv1.Event{
				Seq: 7, Kind: chatv1.EventKind_EVENT_KIND_MESSAGE, MessageId: "42-7", UserId: "alice", Json: []byte(`{"a":1}`),
			},
			event.Event{Seq: 7, Kind: event.Message, MessageID: "42-7", User: "alice"},
			`{"a":1}`,
		},
		{
			"joined",
			&chatv1.Event{
				Seq: 8, Kind: chatv1.EventKind_EVENT_KIND_MEMBER, UserId: "carol",
				MemberChange: chatv1.MemberChange_MEMBER_CHANGE_JOINED,
			},
			event.Event{Seq: 8, Kind: event.Member, User: "carol"},
			"",
		},
		{
			"left",
			&chatv1.Event{
				Seq: 9, Kind: chatv1.EventKind_EVENT_KIND_MEMBER, UserId: "carol",
				MemberChange: chatv1.MemberChange_MEMBER_CHANGE_LEFT,
			},
			event.Event{Seq: 9, Kind: event.Member, User: "carol", Ends: true},
			"",
		},
		{
			"removed",
			&chatv1.Event{
				Seq: 10, Kind: chatv1.EventKind_EVENT_KIND_MEMBER, UserId: "carol",
				MemberChange: chatv1.MemberChange_MEMBER_CHANGE_REMOVED,
			},
			event.Event{Seq: 10, Kind: event.Member, User: "carol", Ends: true},
			"",
		},
		{
			"banned",
			&chatv1.Event{
				Seq: 11, Kind: chatv1.EventKind_EVENT_KIND_MEMBER, UserId: "carol",
				MemberChange: chatv1.MemberChange_MEMBER_CHANGE_BANNED,
			},
			event.Event{Seq: 11, Kind: event.Member, User: "carol", Ends: true},
			"",
		},
		{
			"muted",
			&chatv1.Event{
				Seq: 12, Kind: chatv1.EventKind_EVENT_KIND_MEMBER, UserId: "carol",
				MemberChange: chatv1.MemberChange_MEMBER_CHANGE_MUTED,
			},
			event.Event{Seq: 12, Kind: event.Member, User: "carol"},
			"",
		},
		{
			"state",
			&chatv1.Event{Kind: chatv1.EventKind_EVENT_KIND_READ, MessageId: "r1", UserId: "bob"},
			event.Event{Kind: "READ", MessageID: "r1", User: "bob"},
			"",
		},
		{
			"newer than this gateway",
			&chatv1.Event{Seq: 11, Kind: 999, Json: []byte(`{"event":"PINNED"}`)},
			event.Event{Seq: 11, Kind: "PINNED"},
			`{"event":"PINNED"}`,
		},
		{
			"newer and unreadable",
			&chatv1.Event{Seq: 12, Kind: 999, Json: []byte(`{`)},
			event.Event{Seq: 12},
			`{`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := wire.Event("/topic/chat/42", test.in)
			if body := string(got.Frame.Body()); body != test.body {
				t.Errorf("body %q, want %q", body, test.body)
			}
			got.Frame = nil
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLogRef(t *testing.T) {
	t.Parallel()
	room := &chatv1.LogRef{Log: &chatv1.LogRef_ChatRoomId{ChatRoomId: 42}}
	user := &chatv1.LogRef{Log: &chatv1.LogRef_UserId{UserId: "alice"}}
	if diff := cmp.Diff(room, wire.LogRef(event.Log{Room: 42}), protocmp.Transform()); diff != "" {
		t.Errorf("room (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(user, wire.LogRef(event.Log{User: "alice"}), protocmp.Transform()); diff != "" {
		t.Errorf("user (-want +got):\n%s", diff)
	}
}

// Every reason of the contract has its code, as a refusal and as a gRPC error with or without the enum's prefix.
func TestReasons(t *testing.T) {
	t.Parallel()
	for number, name := range chatv1.Reason_name {
		code := event.Code(name[len("REASON_"):])
		if number == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused := wire.Refused(&chatv1.Refusal{
				Reason: chatv1.Reason(number), Message: "why", ClientMessageId: "c1", RetryAfterMs: 5,
			})
			want := &event.Error{Code: code, Message: "why", ClientMessageID: "c1", RetryAfter: 5 * time.Millisecond}
			if diff := cmp.Diff(want, refused); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
			for _, reason := range []string{name, string(code)} {
				failed := wire.Failed(statusWith(t, codes.Unknown, "why",
					&errdetails.ErrorInfo{
						Domain: wire.Domain, Reason: reason, Metadata: map[string]string{"clientMessageId": "c1"},
					},
					&errdetails.RetryInfo{RetryDelay: durationpb.New(5 * time.Millisecond)}))
				if diff := cmp.Diff(want, failed); diff != "" {
					t.Errorf("gRPC error with reason %s (-want +got):\n%s", reason, diff)
				}
			}
		})
	}
	if got := wire.Refused(&chatv1.Refusal{Reason: 999, Message: "why"}); got.Code != event.Invalid || got.Message != "why" {
		t.Errorf("a reason from the future = %v, want INVALID with its message", got)
	}
}

func TestFailed(t *testing.T) {
	t.Parallel()
	known := &event.Error{Code: event.TooLarge, Message: "known"}
	tests := []struct {
		name string
		err  error
		want event.Code
	}{
		{"unavailable", status.Error(codes.Unavailable, "secret"), event.Unavailable},
		{"deadline of the service", status.Error(codes.DeadlineExceeded, "secret"), event.Unavailable},
		{"cancelled by the service", status.Error(codes.Canceled, "secret"), event.Unavailable},
		{"aborted", status.Error(codes.Aborted, "secret"), event.Unavailable},
		{"own deadline", fmt.Errorf("secret: %w", context.DeadlineExceeded), event.Unavailable},
		{"own cancel", context.Canceled, event.Unavailable},
		{"permission denied", status.Error(codes.PermissionDenied, "secret"), event.Forbidden},
		{"not found", status.Error(codes.NotFound, "secret"), event.Forbidden},
		{"invalid", status.Error(codes.InvalidArgument, "secret"), event.Invalid},
		{"out of range", status.Error(codes.OutOfRange, "secret"), event.Invalid},
		{"this gateway is not let in", status.Error(codes.Unauthenticated, "secret"), event.Internal},
		{"message over the gRPC limit", status.Error(codes.ResourceExhausted, "secret"), event.Internal},
		{"unimplemented", status.Error(codes.Unimplemented, "secret"), event.Internal},
		{"no status at all", errors.New("secret"), event.Internal},
		{
			"reason of another domain",
			statusWith(t, codes.Unavailable, "secret", &errdetails.ErrorInfo{Domain: "example", Reason: "FORBIDDEN"}),
			event.Unavailable,
		},
		{
			"reason from the future",
			statusWith(t, codes.PermissionDenied, "secret", &errdetails.ErrorInfo{Domain: wire.Domain, Reason: "MOOD"}),
			event.Forbidden,
		},
		{
			"unspecified reason",
			statusWith(t, codes.Unavailable, "secret", &errdetails.ErrorInfo{Domain: wire.Domain, Reason: "UNSPECIFIED"}),
			event.Unavailable,
		},
		{"known already", fmt.Errorf("call: %w", known), event.TooLarge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := wire.Failed(test.err)
			if got.Code != test.want || got.Message == "" {
				t.Errorf("got %v, want code %s and a text", got, test.want)
			}
			if got != known && got.Message == status.Convert(test.err).Message() {
				t.Errorf("the text shows internals: %q", got.Message)
			}
			if (got.Code == event.Unavailable) != (got.RetryAfter > 0) {
				t.Errorf("%s with RetryAfter %s", got.Code, got.RetryAfter)
			}
		})
	}
}

func statusWith(t *testing.T, code codes.Code, message string, details ...protoadapt.MessageV1) error {
	t.Helper()
	st, err := status.New(code, message).WithDetails(details...)
	if err != nil {
		t.Fatalf("status with details: %v", err)
	}
	return st.Err()
}
