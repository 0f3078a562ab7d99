package relay

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/wire"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// maxHeads is the largest number of logs in one ReadHeads call.
const maxHeads = 10_000

// ReadLog returns events after one seq up to another (0: the head) in order without gaps, perhaps fewer than asked
// for, and the head. Errors are *event.Error.
func (r *Relay) ReadLog(ctx context.Context, log event.Log, after, upTo int64) ([]event.Event, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, r.callTimeout)
	defer cancel()
	response, err := ask(ctx, r.callTimeout, r.client.ReadLog, &chatv1.ReadLogRequest{
		Log: wire.LogRef(log), AfterSeq: after, UpToSeq: upTo,
	})
	if err != nil {
		return nil, 0, r.failed("read log", err)
	}
	return wire.Events(log.Destination(), response.GetEvents()), response.GetHeadSeq(), nil
}

// ReadHeads returns the newest seq of each log, in the order asked. Errors are *event.Error.
func (r *Relay) ReadHeads(ctx context.Context, logs []event.Log) ([]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, r.callTimeout)
	defer cancel()
	seqs := make([]int64, 0, len(logs))
	for len(logs) > 0 {
		part := logs[:min(len(logs), maxHeads)]
		logs = logs[len(part):]
		request := &chatv1.ReadHeadsRequest{Logs: make([]*chatv1.LogRef, len(part))}
		for i, log := range part {
			request.Logs[i] = wire.LogRef(log)
		}
		response, err := ask(ctx, r.callTimeout, r.client.ReadHeads, request)
		if err != nil {
			return nil, r.failed("read heads", err)
		}
		if len(response.GetHeads()) != len(part) {
			r.logger.Error("chat service call failed", "call", "read heads",
				"asked", len(part), "answered", len(response.GetHeads()))
			return nil, &event.Error{Code: event.Internal, Message: "the chat service gave an incomplete answer"}
		}
		for _, head := range response.GetHeads() {
			seqs = append(seqs, head.GetSeq())
		}
	}
	return seqs, nil
}

// shortTries are the parts of the whole time that the first tries of a call have; the last one has what is left.
var shortTries = []time.Duration{8, 4}

// ask makes a call that may be repeated, and repeats it when a short time brings no answer: a replica that is frozen
// counts as alive until the keep-alive finds it out, and the balancer gives the next try to another one.
func ask[In, Out any](
	ctx context.Context, timeout time.Duration, call func(context.Context, In, ...grpc.CallOption) (Out, error), in In,
) (Out, error) {
	for _, part := range shortTries {
		try, cancel := context.WithTimeout(ctx, timeout/part)
		out, err := call(try, in)
		cancel()
		if err == nil || status.Code(err) != codes.DeadlineExceeded || ctx.Err() != nil {
			return out, err
		}
	}
	return call(ctx, in)
}

// ReportStatuses tells the chat service of changed statuses, at most 1,000. Errors are *event.Error.
func (r *Relay) ReportStatuses(ctx context.Context, changes []event.StatusChange) error {
	ctx, cancel := context.WithTimeout(ctx, r.callTimeout)
	defer cancel()
	request := &chatv1.ReportStatusesRequest{Reports: make([]*chatv1.StatusReport, len(changes))}
	for i, c := range changes {
		request.Reports[i] = &chatv1.StatusReport{UserId: c.User, Status: c.Status, At: timestamppb.New(c.At)}
	}
	if _, err := ask(ctx, r.callTimeout, r.client.ReportStatuses, request); err != nil {
		return r.failed("report statuses", err)
	}
	return nil
}

// failed translates the error of a call. What gRPC says about a fault of ours goes to the log, and nowhere else.
func (r *Relay) failed(call string, err error) error {
	told := wire.Failed(err)
	if told.Code == event.Internal {
		r.logger.Error("chat service call failed", "call", call, "error", err)
	}
	return told
}
