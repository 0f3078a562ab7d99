package rpc

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/wire"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// maxSubscribes is how many subscriptions one call may ask for: with 256 member ids of 128 bytes each, the answer stays
// below the largest message.
const maxSubscribes = 64

func (s *relayService) Subscribe(
	ctx context.Context, in *chatv1.SubscribeRequest,
) (*chatv1.SubscribeResponse, error) {
	log, err := logRef(in.GetLog())
	if err != nil {
		return nil, err
	}
	if err := chat.ValidUserID(in.GetUserId()); err != nil {
		return nil, err
	}
	lastSeq := int64(-1)
	if in.LastSeq != nil {
		lastSeq = in.GetLastSeq()
		if lastSeq < 0 {
			return nil, invalid("last_seq cannot be negative: leave it out to start from now on")
		}
	}
	snapshot, err := s.logs.Subscribe(ctx, in.GetUserId(), log, lastSeq)
	if err != nil {
		return nil, err
	}
	return snapshotOf(&snapshot), nil
}

// SubscribeMany asks for all at once, so that the store can answer them together.
func (s *relayService) SubscribeMany(
	ctx context.Context, in *chatv1.SubscribeManyRequest,
) (*chatv1.SubscribeManyResponse, error) {
	requests := in.GetRequests()
	if len(requests) > maxSubscribes {
		return nil, &chat.Error{Code: chat.TooLarge, Message: fmt.Sprintf(
			"%d subscriptions are asked for, at most %d are allowed", len(requests), maxSubscribes)}
	}
	out := &chatv1.SubscribeManyResponse{Outcomes: make([]*chatv1.SubscribeOutcome, len(requests))}
	var group sync.WaitGroup
	for i, request := range requests {
		group.Go(func() { out.Outcomes[i] = s.subscribeOne(ctx, request) })
	}
	group.Wait()
	return out, nil
}

// subscribeOne is one of many: a panic of its own is its own refusal.
func (s *relayService) subscribeOne(ctx context.Context, in *chatv1.SubscribeRequest) (out *chatv1.SubscribeOutcome) {
	refuse := func(err error) *chatv1.SubscribeOutcome {
		refusal := s.faults.relayRefusal(err, chatv1.RelayService_SubscribeMany_FullMethodName, 0)
		return &chatv1.SubscribeOutcome{Refusal: refusal}
	}
	defer func() {
		if p := recover(); p != nil {
			s.metrics.Panics.Inc()
			out = refuse(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	if in.LastSeq != nil {
		return refuse(invalid("last_seq: what was missed is replayed to one subscription at a time, by Subscribe"))
	}
	response, err := s.Subscribe(ctx, in)
	if err != nil {
		return refuse(err)
	}
	return &chatv1.SubscribeOutcome{Response: response}
}

// snapshotOf writes a snapshot; what does not fit becomes part of the gap, as the newest events are the ones wanted.
func snapshotOf(s *chat.Snapshot) *chatv1.SubscribeResponse {
	out := &chatv1.SubscribeResponse{
		HeadSeq: s.Head, Events: newestFitting(wire.Events(s.Events)), GapFromSeq: s.GapFrom, GapToSeq: s.GapTo,
		MemberIds: s.MemberIDs, Hidden: spansOf(s.Hidden),
	}
	if left := len(s.Events) - len(out.GetEvents()); left > 0 {
		if out.GapFromSeq == 0 {
			out.GapFromSeq = s.Events[0].Seq
		}
		out.GapToSeq = s.Events[left-1].Seq
	}
	return out
}
