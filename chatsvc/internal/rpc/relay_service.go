package rpc

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/metrics"
	"github.com/fliliy/chat/chatsvc/internal/wire"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// relayService is for gateways, which have proved who each user is.
type relayService struct {
	chatv1.UnimplementedRelayServiceServer
	messages *chat.Messages
	marks    *chat.Marks
	logs     *chat.Logs
	revoked  *chat.Revocations
	statuses *chat.Statuses
	faults   *faults
	metrics  metrics.Counter
	done     prometheus.Counter // of commands that took effect
	opts     Options

	stopping      <-chan struct{}
	marksUnderWay chan struct{} // holds a token per mark or typing notice that runs
}

func (s *relayService) ReadLog(ctx context.Context, in *chatv1.ReadLogRequest) (*chatv1.ReadLogResponse, error) {
	log, err := logRef(in.GetLog())
	if err != nil {
		return nil, err
	}
	events, head, err := s.logs.Read(ctx, log, in.GetAfterSeq(), in.GetUpToSeq())
	if err != nil {
		return nil, err
	}
	return &chatv1.ReadLogResponse{Events: oldestFitting(wire.Events(events)), HeadSeq: head}, nil
}

func (s *relayService) ReadHeads(ctx context.Context, in *chatv1.ReadHeadsRequest) (*chatv1.ReadHeadsResponse, error) {
	logs := make([]chat.LogRef, len(in.GetLogs()))
	for i, name := range in.GetLogs() {
		log, err := logRef(name)
		if err != nil {
			return nil, err
		}
		logs[i] = log
	}
	heads, err := s.logs.Heads(ctx, logs)
	if err != nil {
		return nil, err
	}
	out := &chatv1.ReadHeadsResponse{Heads: make([]*chatv1.LogHead, len(heads))}
	for i, head := range heads {
		out.Heads[i] = &chatv1.LogHead{Log: in.GetLogs()[i], Seq: head.Seq}
	}
	return out, nil
}

func (s *relayService) ListRevocations(
	ctx context.Context, in *chatv1.ListRevocationsRequest,
) (*chatv1.ListRevocationsResponse, error) {
	revocations, head, err := s.revoked.List(ctx, in.GetAfter())
	if err != nil {
		return nil, err
	}
	return &chatv1.ListRevocationsResponse{Revocations: revocationsOf(revocations), Head: head}, nil
}

func (s *relayService) ReportStatuses(
	ctx context.Context, in *chatv1.ReportStatusesRequest,
) (*chatv1.ReportStatusesResponse, error) {
	reports := make([]chat.StatusReport, len(in.GetReports()))
	for i, r := range in.GetReports() {
		reports[i] = chat.StatusReport{UserID: r.GetUserId(), Status: r.GetStatus(), At: r.GetAt().AsTime()}
	}
	if err := s.statuses.Report(ctx, reports); err != nil {
		return nil, err
	}
	return &chatv1.ReportStatusesResponse{}, nil
}
