package relay_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/relay"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

func roomLog(id int64) *chatv1.LogRef {
	return &chatv1.LogRef{Log: &chatv1.LogRef_ChatRoomId{ChatRoomId: id}}
}

func userLog(id string) *chatv1.LogRef {
	return &chatv1.LogRef{Log: &chatv1.LogRef_UserId{UserId: id}}
}

// summary is what tests compare of an event.
type summary struct {
	Seq  int64
	Kind event.Kind
	User string
	Body string
}

func summaries(events []event.Event) []summary {
	var all []summary
	for _, e := range events {
		all = append(all, summary{e.Seq, e.Kind, e.User, string(e.Frame.Body())})
	}
	return all
}

func TestSubscribe(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		log     event.Log
		lastSeq int64
		want    *chatv1.SubscribeRequest
	}{
		{"room from now on", event.Log{Room: 42}, -1, &chatv1.SubscribeRequest{UserId: "alice", Log: roomLog(42)}},
		{
			"room from the start",
			event.Log{Room: 42},
			0,
			&chatv1.SubscribeRequest{UserId: "alice", Log: roomLog(42), LastSeq: proto.Int64(0)},
		},
		{
			"inbox after 7",
			event.Log{User: "alice"},
			7,
			&chatv1.SubscribeRequest{UserId: "alice", Log: userLog("alice"), LastSeq: proto.Int64(7)},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var asked *chatv1.SubscribeRequest
			var limited bool
			r := newRig(t, &double{subscribe: func(
				ctx context.Context, in *chatv1.SubscribeRequest,
			) (*chatv1.SubscribeResponse, error) {
				asked = in
				_, limited = ctx.Deadline()
				return &chatv1.SubscribeResponse{
					HeadSeq: 9, GapFromSeq: 2, GapToSeq: 7,
					Events: []*chatv1.Event{
						{Seq: 8, Kind: chatv1.EventKind_EVENT_KIND_MESSAGE, UserId: "bob", Json: []byte(`{"seq":8}`)},
						{Seq: 9, Kind: chatv1.EventKind_EVENT_KIND_MEMBER, UserId: "carol", Json: []byte(`{"seq":9}`)},
					},
				}, nil
			}}, relay.Options{})
			got, err := r.relay.Subscribe(t.Context(), "alice", test.log, test.lastSeq)
			if err != nil {
				t.Fatalf("Subscribe: %v", err)
			}
			if diff := cmp.Diff(test.want, asked, protocmp.Transform()); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			if !limited {
				t.Error("the call had no deadline")
			}
			if got.Head != 9 || got.GapFrom != 2 || got.GapTo != 7 {
				t.Errorf("snapshot %+v, want head 9, gap 2 to 7", got)
			}
			want := []summary{{8, event.Message, "bob", `{"seq":8}`}, {9, event.Member, "carol", `{"seq":9}`}}
			if diff := cmp.Diff(want, summaries(got.Events)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadLog(t *testing.T) {
	t.Parallel()
	var asked *chatv1.ReadLogRequest
	r := newRig(t, &double{readLog: func(
		_ context.Context, in *chatv1.ReadLogRequest,
	) (*chatv1.ReadLogResponse, error) {
		asked = in
		return &chatv1.ReadLogResponse{
			HeadSeq: 12,
			Events:  []*chatv1.Event{{Seq: 4, Kind: chatv1.EventKind_EVENT_KIND_MESSAGE, Json: []byte(`{}`)}},
		}, nil
	}}, relay.Options{})
	events, head, err := r.relay.ReadLog(t.Context(), event.Log{Room: 42}, 3, 9)
	if err != nil {
		t.Fatalf("ReadLog: %v", err)
	}
	want := &chatv1.ReadLogRequest{Log: roomLog(42), AfterSeq: 3, UpToSeq: 9}
	if diff := cmp.Diff(want, asked, protocmp.Transform()); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]summary{{4, event.Message, "", `{}`}}, summaries(events)); diff != "" || head != 12 {
		t.Errorf("head %d, want 12; events (-want +got):\n%s", head, diff)
	}
}

func TestReadHeads(t *testing.T) {
	t.Parallel()
	const logs = 10_001
	var sizes []int
	r := newRig(t, &double{readHeads: func(
		_ context.Context, in *chatv1.ReadHeadsRequest,
	) (*chatv1.ReadHeadsResponse, error) {
		sizes = append(sizes, len(in.GetLogs()))
		out := &chatv1.ReadHeadsResponse{}
		for _, log := range in.GetLogs() {
			out.Heads = append(out.Heads, &chatv1.LogHead{Log: log, Seq: log.GetChatRoomId() * 2})
		}
		return out, nil
	}}, relay.Options{})
	asked := make([]event.Log, logs)
	for i := range asked {
		asked[i].Room = int64(i + 1)
	}
	heads, err := r.relay.ReadHeads(t.Context(), asked)
	if err != nil {
		t.Fatalf("ReadHeads: %v", err)
	}
	// A call may be repeated by the connection: what is asked is idempotent.
	if diff := cmp.Diff([]int{10_000, 1}, slices.Compact(sizes)); diff != "" {
		t.Errorf("logs per call (-want +got):\n%s", diff)
	}
	if len(heads) != logs {
		t.Fatalf("%d heads, want %d", len(heads), logs)
	}
	for i, head := range heads {
		if want := int64(i+1) * 2; head != want {
			t.Fatalf("head %d = %d, want %d", i, head, want)
		}
	}
}

func TestCallErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		err  error
		want event.Code
	}{
		{"denied", status.Error(codes.PermissionDenied, "no"), event.Forbidden},
		{"overloaded", status.Error(codes.Aborted, "deadlock"), event.Unavailable},
		{"fault", status.Error(codes.Unknown, "nil pointer"), event.Internal},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, &double{
				subscribe: func(context.Context, *chatv1.SubscribeRequest) (*chatv1.SubscribeResponse, error) {
					return nil, test.err
				},
				readLog: func(context.Context, *chatv1.ReadLogRequest) (*chatv1.ReadLogResponse, error) {
					return nil, test.err
				},
				readHeads: func(context.Context, *chatv1.ReadHeadsRequest) (*chatv1.ReadHeadsResponse, error) {
					return nil, test.err
				},
			}, relay.Options{})
			_, subscribed := r.relay.Subscribe(t.Context(), "alice", event.Log{Room: 1}, -1)
			_, _, read := r.relay.ReadLog(t.Context(), event.Log{Room: 1}, 0, 0)
			_, heads := r.relay.ReadHeads(t.Context(), []event.Log{{Room: 1}})
			for call, err := range map[string]error{"Subscribe": subscribed, "ReadLog": read, "ReadHeads": heads} {
				var refused *event.Error
				if !errors.As(err, &refused) || refused.Code != test.want {
					t.Errorf("%s = %v, want code %s", call, err, test.want)
				}
			}
		})
	}
}

func TestReadHeadsIncomplete(t *testing.T) {
	t.Parallel()
	r := newRig(t, &double{readHeads: func(
		context.Context, *chatv1.ReadHeadsRequest,
	) (*chatv1.ReadHeadsResponse, error) {
		return &chatv1.ReadHeadsResponse{}, nil
	}}, relay.Options{})
	_, err := r.relay.ReadHeads(t.Context(), []event.Log{{Room: 1}})
	if refused := refusal(t, outcome{err: err}); refused.Code != event.Internal {
		t.Errorf("ReadHeads = %v, want INTERNAL", err)
	}
}

// A read that meets a replica on its way out is tried again; the caller sees nothing of it.
func TestCallsAreRepeated(t *testing.T) {
	t.Parallel()
	calls := 0
	r := newRig(t, &double{readLog: func(
		context.Context, *chatv1.ReadLogRequest,
	) (*chatv1.ReadLogResponse, error) {
		if calls++; calls < 3 {
			return nil, status.Error(codes.Unavailable, "stopping")
		}
		return &chatv1.ReadLogResponse{HeadSeq: 5}, nil
	}}, relay.Options{})
	_, head, err := r.relay.ReadLog(t.Context(), event.Log{Room: 1}, 0, 0)
	if err != nil || head != 5 || calls != 3 {
		t.Errorf("head %d, %v after %d calls, want 5 after 3", head, err, calls)
	}
}

func TestCallTimeout(t *testing.T) {
	t.Parallel()
	r := newRig(t, &double{subscribe: func(
		ctx context.Context, _ *chatv1.SubscribeRequest,
	) (*chatv1.SubscribeResponse, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}, relay.Options{Timeout: 50 * time.Millisecond})
	_, err := r.relay.Subscribe(t.Context(), "alice", event.Log{Room: 1}, -1)
	if refused := refusal(t, outcome{err: err}); refused.Code != event.Unavailable {
		t.Errorf("Subscribe = %v, want UNAVAILABLE", err)
	}
}

// TestReadsDoNotWaitForAReplicaThatIsFrozen has the first calls never answered: the next ones go through, long before
// the time of the whole call is over.
func TestReadsDoNotWaitForAReplicaThatIsFrozen(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	r := newRig(t, &double{readLog: func(ctx context.Context, _ *chatv1.ReadLogRequest) (*chatv1.ReadLogResponse, error) {
		if calls.Add(1) <= 2 {
			<-ctx.Done() // only the caller's patience ends this call
			return nil, status.FromContextError(ctx.Err()).Err()
		}
		return &chatv1.ReadLogResponse{HeadSeq: 9}, nil
	}}, relay.Options{Timeout: 4 * time.Second})
	if _, head, err := r.relay.ReadLog(t.Context(), event.Log{Room: 42}, 8, 0); err != nil || head != 9 {
		t.Errorf("head %d, %v; want 9 from the third try", head, err)
	}
	if n := calls.Load(); n != 3 {
		t.Errorf("%d calls, want 3", n)
	}
}

func TestReadsOfAServiceThatNeverAnswersEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t, &double{readHeads: func(ctx context.Context, _ *chatv1.ReadHeadsRequest) (*chatv1.ReadHeadsResponse, error) {
		<-ctx.Done()
		return nil, status.FromContextError(ctx.Err()).Err()
	}}, relay.Options{Timeout: 200 * time.Millisecond})
	_, err := r.relay.ReadHeads(t.Context(), []event.Log{{Room: 42}})
	var refused *event.Error
	if !errors.As(err, &refused) || refused.Code != event.Unavailable {
		t.Errorf("error %v, want UNAVAILABLE", err)
	}
}
