package rpc

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// Domain is the google.rpc.ErrorInfo domain of the contract's codes.
const Domain = "fliliy.chat"

// codeUnauthenticated is the code of the contract that package chat never uses.
const codeUnauthenticated chat.Code = "UNAUTHENTICATED"

// statusCodes says which gRPC code carries a code of the contract. It is the only such table; what a client shows is
// the contract's code, in ErrorInfo.
var statusCodes = map[chat.Code]codes.Code{
	codeUnauthenticated: codes.Unauthenticated,
	chat.RateLimited:    codes.ResourceExhausted,
	chat.Forbidden:      codes.PermissionDenied,
	chat.Invalid:        codes.InvalidArgument,
	chat.TooLarge:       codes.InvalidArgument,
	chat.Unavailable:    codes.Unavailable,
	chat.Internal:       codes.Internal,
}

// What callers hear of errors whose own text is not for them.
const (
	faultText = "something went wrong on our side; it has been logged"
	awayText  = "the database cannot be reached right now; try again"
	slowText  = "it took too long; try again"
)

// retryAfter is what callers are told to wait when the cause is on our side and says nothing itself.
const retryAfter = time.Second

// faults words errors for callers, and logs those that are ours. A broken database fails thousands of commands a
// second: the log gets some of them, with the number of those left out.
type faults struct {
	logger  *slog.Logger
	limit   *rate.Limiter
	leftOut atomic.Int64
}

func newFaults(logger *slog.Logger) *faults {
	return &faults{logger: logger, limit: rate.NewLimiter(1, 10)}
}

// refusal returns what the caller is told; where names the method for the log. err is not nil.
func (f *faults) refusal(err error, where string) *chat.Error {
	if refusal, ok := errors.AsType[*chat.Error](err); ok && statusCodes[refusal.Code] != codes.OK &&
		refusal.Code != chat.Internal {
		return refusal
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &chat.Error{Code: chat.Unavailable, Message: slowText, RetryAfter: retryAfter}
	case errors.Is(err, chat.ErrTransient):
		f.log(err, where)
		return &chat.Error{Code: chat.Unavailable, Message: awayText, RetryAfter: retryAfter}
	}
	f.log(err, where)
	return &chat.Error{Code: chat.Internal, Message: faultText}
}

func (f *faults) log(err error, where string) {
	if !f.limit.Allow() {
		f.leftOut.Add(1)
		return
	}
	f.logger.Error("call failed", "method", where, "error", err, "notLogged", f.leftOut.Swap(0))
}

// status returns the gRPC error for a caller; nil for nil. What is a status already stays as it is.
func (f *faults) status(err error, where string) error {
	if err == nil {
		return nil
	}
	if st, ok := err.(interface{ GRPCStatus() *status.Status }); ok { //nolint:errorlint // a wrapped one is no answer
		return st.GRPCStatus().Err()
	}
	refusal := f.refusal(err, where)
	code := statusCodes[refusal.Code]
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		code = codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		code = codes.Canceled
	}
	return refusalStatus(code, refusal)
}

func refusalStatus(code codes.Code, refusal *chat.Error) error {
	info := &errdetails.ErrorInfo{Reason: string(refusal.Code), Domain: Domain}
	if refusal.ClientMessageID != "" {
		info.Metadata = map[string]string{"clientMessageId": strings.ToValidUTF8(refusal.ClientMessageID, "")}
	}
	details := []protoadapt.MessageV1{info}
	if refusal.RetryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(refusal.RetryAfter)})
	}
	bare := status.New(code, strings.ToValidUTF8(refusal.Message, ""))
	full, err := bare.WithDetails(details...)
	if err != nil {
		return bare.Err()
	}
	return full.Err()
}

// relayRefusal returns the result part that says why a command had no effect; action is which of its actions.
// Invalid UTF-8 in one of them would spoil the whole batch of results.
func (f *faults) relayRefusal(err error, where string, action int) *chatv1.Refusal {
	refusal := f.refusal(err, where)
	return &chatv1.Refusal{
		Reason:          chatv1.Reason(chatv1.Reason_value["REASON_"+string(refusal.Code)]),
		Message:         strings.ToValidUTF8(refusal.Message, ""),
		Action:          int32(action), //nolint:gosec // at most chat.MaxUnit
		ClientMessageId: strings.ToValidUTF8(refusal.ClientMessageID, ""),
		RetryAfterMs:    refusal.RetryAfter.Milliseconds(),
	}
}

func invalid(text string) *chat.Error { return &chat.Error{Code: chat.Invalid, Message: text} }
