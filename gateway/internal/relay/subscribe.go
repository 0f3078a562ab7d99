package relay

import (
	"context"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/wire"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// How subscriptions travel together: calls under way, and subscriptions in one (the service takes 64).
const (
	subscribeCalls = 4
	maxSubscribes  = 64
)

// Subscribe checks that the user may read the log and returns its state; lastSeq < 0 asks for no events. Errors are
// *event.Error: FORBIDDEN, UNAVAILABLE.
func (r *Relay) Subscribe(ctx context.Context, user string, log event.Log, lastSeq int64) (event.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, r.callTimeout)
	defer cancel()
	// Protobuf would refuse all that travel together; verified ids are valid.
	request := &chatv1.SubscribeRequest{UserId: strings.ToValidUTF8(user, ""), Log: wire.LogRef(log)}
	var response *chatv1.SubscribeResponse
	var err error
	if lastSeq >= 0 {
		request.LastSeq = &lastSeq
		response, err = r.subscribeAlone(ctx, request)
	} else {
		response, err = r.arrivals.wait(ctx, request)
	}
	if err != nil {
		return event.Snapshot{}, err
	}
	return event.Snapshot{
		Head:    response.GetHeadSeq(),
		Events:  wire.Events(log.Destination(), response.GetEvents()),
		GapFrom: response.GetGapFromSeq(),
		GapTo:   response.GetGapToSeq(),
		Members: response.GetMemberIds(),
		Hidden:  wire.Spans(response.GetHidden()),
	}, nil
}

// subscribeAlone asks for one subscription. Errors are *event.Error.
func (r *Relay) subscribeAlone(ctx context.Context, in *chatv1.SubscribeRequest) (*chatv1.SubscribeResponse, error) {
	response, err := ask(ctx, r.callTimeout, r.client.Subscribe, in)
	if err != nil {
		return nil, r.failed("subscribe", err)
	}
	return response, nil
}

// arrivals gathers subscriptions that come faster than calls are answered: many clients connect at once, or come over
// from a gateway that went away. It waits for no timer: while calls are free, a subscription goes at once.
type arrivals struct {
	relay *Relay

	mu      sync.Mutex
	waiting []*arrival
	calls   int
}

// arrival is a subscription that waits for its answer.
type arrival struct {
	request  *chatv1.SubscribeRequest
	response *chatv1.SubscribeResponse
	err      error
	done     chan struct{}
}

// wait asks for one. When the context ends first, the answer is not waited for. Errors are *event.Error.
func (a *arrivals) wait(ctx context.Context, request *chatv1.SubscribeRequest) (*chatv1.SubscribeResponse, error) {
	one := &arrival{request: request, done: make(chan struct{})}
	a.mu.Lock()
	a.waiting = append(a.waiting, one)
	free := a.calls < subscribeCalls
	if free {
		a.calls++
	}
	a.mu.Unlock()
	if free {
		go a.work() //nolint:contextcheck // it asks for others as well
	}
	select {
	case <-one.done:
		return one.response, one.err
	case <-ctx.Done():
		return nil, a.relay.failed("subscribe", status.FromContextError(ctx.Err()).Err())
	}
}

// work makes calls until nobody waits.
func (a *arrivals) work() {
	for {
		a.mu.Lock()
		n := min(len(a.waiting), maxSubscribes)
		if n == 0 {
			a.waiting = nil
			a.calls--
			a.mu.Unlock()
			return
		}
		party := a.waiting[:n:n]
		a.waiting = a.waiting[n:]
		a.mu.Unlock()
		a.relay.subscribeMany(party)
		for _, one := range party {
			close(one.done)
		}
	}
}

// subscribeMany fills in the answers of a party.
func (r *Relay) subscribeMany(party []*arrival) {
	ctx, cancel := context.WithTimeout(context.Background(), r.callTimeout)
	defer cancel()
	if len(party) == 1 {
		party[0].response, party[0].err = r.subscribeAlone(ctx, party[0].request)
		return
	}
	request := &chatv1.SubscribeManyRequest{Requests: make([]*chatv1.SubscribeRequest, len(party))}
	for i, one := range party {
		request.Requests[i] = one.request
	}
	response, err := ask(ctx, r.callTimeout, r.client.SubscribeMany, request)
	outcomes := response.GetOutcomes()
	switch {
	case status.Code(err) == codes.Unimplemented: // a replica of the release before
		r.subscribeEach(ctx, party)
		return
	case err != nil:
		err = r.failed("subscribe", err)
	case len(outcomes) != len(party):
		r.logger.Error("chat service call failed", "call", "subscribe", "asked", len(party), "answered", len(outcomes))
		err = &event.Error{Code: event.Internal, Message: "the chat service gave an incomplete answer"}
	}
	for i, one := range party {
		switch {
		case err != nil:
			one.err = err
		case outcomes[i].GetRefusal() != nil:
			one.err = wire.Refused(outcomes[i].GetRefusal())
		default:
			one.response = outcomes[i].GetResponse()
		}
	}
}

// subscribeEach asks for the subscriptions of a party one by one.
func (r *Relay) subscribeEach(ctx context.Context, party []*arrival) {
	var group sync.WaitGroup
	for _, one := range party {
		group.Go(func() { one.response, one.err = r.subscribeAlone(ctx, one.request) })
	}
	group.Wait()
}
