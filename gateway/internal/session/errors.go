package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/metrics"
	"github.com/fliliy/chat/gateway/internal/stomp"
	"github.com/fliliy/chat/gateway/internal/transport"
)

// Headers that several files read or write.
const (
	receiptHeader     = "receipt"
	receiptIDHeader   = "receipt-id"
	messageIDHeader   = "message-id"
	idHeader          = "id"
	destinationHeader = "destination"
	transactionHeader = "transaction"
	versionHeader     = "version"
)

// failure ends a session: an ERROR frame, then the close.
type failure struct {
	code      event.Code
	close     transport.CloseCode
	message   string // short, for the "message" header and the close reason
	detail    string // for the body
	receiptID string // of the frame that was refused, if it asked for a RECEIPT
	versions  string // what the server speaks, if that is what it is about
	limit     string // which limit was broken, as it is counted; "" for none
}

func (f *failure) Error() string { return f.message + ": " + f.detail }

// closeCodes tells how a session is closed whose last frame is an ERROR with the code.
var closeCodes = map[event.Code]transport.CloseCode{
	event.Unauthenticated: transport.ClosePolicy,
	event.TokenExpired:    transport.ClosePolicy,
	event.Forbidden:       transport.ClosePolicy,
	event.Invalid:         transport.CloseProtocol,
	event.TooLarge:        transport.CloseTooLarge,
	event.RateLimited:     transport.ClosePolicy,
	event.SlowConsumer:    transport.CloseTryLater,
	event.Unavailable:     transport.CloseTryLater,
	event.Internal:        transport.CloseInternal,
}

// refusal makes a failure of a refusal that costs the connection.
func refusal(cause *event.Error, receiptID string) *failure {
	return &failure{
		code:      cause.Code,
		close:     closeCodes[cause.Code],
		message:   string(cause.Code),
		detail:    cause.Message,
		receiptID: receiptID,
	}
}

// invalid refuses one message.
func invalid(format string, args ...any) *event.Error {
	return &event.Error{Code: event.Invalid, Message: fmt.Sprintf(format, args...)}
}

func tooLargeBeforeConnect(budget int) *failure {
	return &failure{
		code:    event.TooLarge,
		close:   transport.CloseTooLarge,
		message: "too large",
		limit:   metrics.LimitPreAuthBytes,
		detail:  "a CONNECT frame has to end within the first " + strconv.Itoa(budget) + " bytes of a connection",
	}
}

// failureOf turns what a handler or the decoder returned into how the session fails.
func (s *session) failureOf(err error) *failure {
	var failed *failure
	if errors.As(err, &failed) {
		return failed
	}
	var broken *stomp.Error
	if errors.As(err, &broken) {
		failed = &failure{
			code: event.Invalid, close: transport.CloseProtocol, message: broken.Message, detail: broken.Detail,
			receiptID: broken.ReceiptID,
		}
		if broken.Limit != "" {
			failed.code, failed.close, failed.limit = event.TooLarge, transport.CloseTooLarge, string(broken.Limit)
		}
		return failed
	}
	return refusal(s.causeOf(err), "")
}

// causeOf puts an error of a port into the words of the contract. What has none is a fault of ours: it is logged
// here, once, and not shown.
func (s *session) causeOf(err error) *event.Error {
	var cause *event.Error
	if errors.As(err, &cause) {
		return cause
	}
	if s.isEnding() {
		return &event.Error{Code: event.Unavailable, Message: "the session is over"}
	}
	s.deps.Logger.Error("unexpected error", "session", s.id, "error", err)
	return &event.Error{Code: event.Internal, Message: "internal error; it has been logged, try again"}
}

// failing is the end by an ERROR frame. Call it under mu.
func (s *session) failing(f *failure) *ending {
	return &ending{code: f.close, reason: f.message, frame: errorFrame(s.version, f)}
}

// errorFrame encodes the last frame of a session that fails.
func errorFrame(v stomp.Version, f *failure) []byte {
	header := make(stomp.Header, 0, 5)
	header = append(header,
		stomp.Field{Key: "message", Value: f.message},
		stomp.Field{Key: "code", Value: string(f.code)})
	if f.receiptID != "" {
		header = append(header, stomp.Field{Key: receiptIDHeader, Value: f.receiptID})
	}
	if f.versions != "" {
		header = append(header, stomp.Field{Key: versionHeader, Value: f.versions})
	}
	if f.detail != "" {
		header = append(header, stomp.Field{Key: "content-type", Value: "text/plain"})
	}
	return stomp.AppendFrame(nil, v, &stomp.Frame{Command: stomp.CmdError, Header: header, Body: []byte(f.detail)})
}

// refusedJSON is the body of an ERROR event.
type refusedJSON struct {
	Event           event.Kind `json:"event"`
	Code            event.Code `json:"code"`
	Message         string     `json:"message"`
	Destination     string     `json:"destination"`
	ReceiptID       string     `json:"receiptId"`
	ClientMessageID string     `json:"clientMessageId"`
	RetryAfterMs    int64      `json:"retryAfterMs"`
}

// refuse tells that one message was refused: on the errors queue, or by ending the session. Call it under mu.
func (s *session) refuse(req request, cause *event.Error) {
	e := s.refusedEvent(req, cause)
	if !s.deliverLocally(&e) {
		s.finish(s.failing(refusal(cause, req.receiptID)))
	}
}

// refusedEvent makes the ERROR event of a refusal. Call it under mu.
func (s *session) refusedEvent(req request, cause *event.Error) event.Event {
	body := refusedJSON{
		Event:           event.Failure,
		Code:            cause.Code,
		Message:         cause.Message,
		Destination:     req.destination,
		ReceiptID:       req.receiptID,
		ClientMessageID: cause.ClientMessageID,
		RetryAfterMs:    cause.RetryAfter.Milliseconds(),
	}
	if body.ClientMessageID == "" {
		body.ClientMessageID = clientMessageID(req.body)
	}
	return s.localEvent(event.ErrorsDestination, event.Failure, body)
}

// clientMessageID finds the name that a client gave to a message which nobody has read yet.
func clientMessageID(body []byte) string {
	var message struct {
		ClientMessageID string `json:"clientMessageId"`
	}
	if json.Unmarshal(body, &message) != nil {
		return ""
	}
	return message.ClientMessageID
}

// localEvent makes an event of this session alone. Call it under mu.
func (s *session) localEvent(destination string, kind event.Kind, body any) event.Event {
	s.local++
	text, err := json.Marshal(body)
	if err != nil { // strings and numbers only: it cannot fail
		s.deps.Logger.Error("encode event", "session", s.id, "error", err)
	}
	return event.New(destination, kind, 0, s.id+"-"+strconv.Itoa(s.local), text)
}

// deliverLocally delivers an event to each subscription of the errors queue; it says false if there is none. Call it
// under mu.
func (s *session) deliverLocally(e *event.Event) bool {
	told := false
	for _, sub := range s.subs {
		if sub.log == (event.Log{}) {
			sub.deliver(e)
			told = true
		}
	}
	return told
}

// announceDrain tells the client that this node is leaving, and when to be on another. Call it under mu.
func (s *session) announceDrain(after time.Duration) {
	e := s.localEvent(event.ErrorsDestination, event.Drain, struct {
		Event            event.Kind `json:"event"`
		ReconnectAfterMs int64      `json:"reconnectAfterMs"`
	}{event.Drain, after.Milliseconds()})
	s.deliverLocally(&e)
}

// The counts below do nothing without metrics.

func (s *session) countFrame(command string) {
	if s.deps.Metrics != nil {
		s.deps.Metrics.FramesIn.Inc(command)
	}
}

func (s *session) countRefusal(code event.Code) {
	if s.deps.Metrics != nil {
		s.deps.Metrics.Refused.Inc(string(code))
	}
}

// countLimit counts a failure by the limit that was broken, if there was one.
func (s *session) countLimit(f *failure) {
	if s.deps.Metrics != nil && f.limit != "" {
		s.deps.Metrics.Limited.Inc(f.limit)
	}
}
