package wire

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fliliy/chat/gateway/internal/event"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// Domain is the google.rpc.ErrorInfo domain of the contract's reasons.
const Domain = "fliliy.chat"

// defaultRetryAfter is what clients are told to wait when the service is away and has not said for how long.
const defaultRetryAfter = time.Second

// What clients are told about failures that the chat service has not put into words for them. The gRPC text is for
// logs: it names addresses and internals.
const (
	awayText    = "the chat service cannot be reached right now; try again"
	faultText   = "something went wrong on our side; if it happens again, report it with the time"
	deniedText  = "no such chat room, or you are not a member of it"
	invalidText = "the request is not valid; repeating it unchanged will not help"
)

// reasons are the codes of the contract's reasons, found by the enum's number.
var reasons = map[chatv1.Reason]event.Code{
	chatv1.Reason_REASON_UNAUTHENTICATED: event.Unauthenticated,
	chatv1.Reason_REASON_TOKEN_EXPIRED:   event.TokenExpired,
	chatv1.Reason_REASON_FORBIDDEN:       event.Forbidden,
	chatv1.Reason_REASON_INVALID:         event.Invalid,
	chatv1.Reason_REASON_TOO_LARGE:       event.TooLarge,
	chatv1.Reason_REASON_RATE_LIMITED:    event.RateLimited,
	chatv1.Reason_REASON_SLOW_CONSUMER:   event.SlowConsumer,
	chatv1.Reason_REASON_UNAVAILABLE:     event.Unavailable,
	chatv1.Reason_REASON_INTERNAL:        event.Internal,
}

// Refused translates the refusal of a command. A reason that is newer than this gateway counts as INVALID: the
// service has decided, so that repeating the command is useless.
func Refused(r *chatv1.Refusal) *event.Error {
	code, ok := reasons[r.GetReason()]
	if !ok {
		code = event.Invalid
	}
	return &event.Error{
		Code:            code,
		Message:         r.GetMessage(),
		ClientMessageID: r.GetClientMessageId(),
		RetryAfter:      time.Duration(r.GetRetryAfterMs()) * time.Millisecond,
	}
}

// Failed translates how a call to the chat service ended. The service's own refusals, recognised by ErrorInfo of our
// domain, keep their message. Anything else is judged by its gRPC code and gets a text of ours.
func Failed(err error) *event.Error {
	var known *event.Error
	if errors.As(err, &known) {
		return known
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return &event.Error{Code: event.Unavailable, Message: awayText, RetryAfter: defaultRetryAfter}
	}
	st := status.Convert(err)
	code, told := told(st)
	if !told {
		return byCode(st.Code())
	}
	refused := &event.Error{Code: code, Message: st.Message()}
	for _, detail := range st.Details() {
		switch d := detail.(type) {
		case *errdetails.RetryInfo:
			refused.RetryAfter = d.GetRetryDelay().AsDuration()
		case *errdetails.ErrorInfo:
			refused.ClientMessageID = d.GetMetadata()["clientMessageId"]
		}
	}
	return refused
}

// Told says whether an error carries a refusal of the chat service itself with this code, not one of gRPC or of
// something in between.
func Told(err error, code event.Code) bool {
	said, told := told(status.Convert(err))
	return told && said == code
}

// told looks for the contract's reason in a status, with or without the enum's prefix.
func told(st *status.Status) (event.Code, bool) {
	for _, detail := range st.Details() {
		info, ok := detail.(*errdetails.ErrorInfo)
		if !ok || info.GetDomain() != Domain {
			continue
		}
		number, ok := chatv1.Reason_value["REASON_"+strings.TrimPrefix(info.GetReason(), "REASON_")]
		if !ok {
			return "", false
		}
		code, ok := reasons[chatv1.Reason(number)]
		return code, ok
	}
	return "", false
}

// byCode judges a status that carries no reason of ours: it comes from gRPC itself or from something in between.
// UNAUTHENTICATED then speaks of this gateway's credentials, not of the user's: a fault of ours.
func byCode(code codes.Code) *event.Error {
	switch code {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Aborted:
		return &event.Error{Code: event.Unavailable, Message: awayText, RetryAfter: defaultRetryAfter}
	case codes.PermissionDenied, codes.NotFound:
		return &event.Error{Code: event.Forbidden, Message: deniedText}
	case codes.InvalidArgument, codes.OutOfRange, codes.FailedPrecondition, codes.AlreadyExists:
		return &event.Error{Code: event.Invalid, Message: invalidText}
	default:
		return &event.Error{Code: event.Internal, Message: faultText}
	}
}
