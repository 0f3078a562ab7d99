package stomp

import "fmt"

// Error says why bytes are no frame. The connection cannot go on after one: what follows has no known beginning.
// Its texts are meant for the client (an ERROR frame) and never hold header values or body.
type Error struct {
	Message   string // short, for the "message" header
	Detail    string // what was wrong and what is expected
	Limit     Limit  // a limit, not the form, was broken; else ""
	ReceiptID string // the receipt header of the refused frame, where it was read before the fault; else ""
}

// Limit is which of a Decoder's limits was broken, for who counts.
type Limit string

// The limits.
const (
	LimitBody       Limit = "body"
	LimitHeaders    Limit = "headers"     // their number
	LimitHeaderLine Limit = "header_line" // of one, or of all together
)

func (e *Error) Error() string {
	return e.Message + ": " + e.Detail
}

func malformed(message, format string, args ...any) *Error {
	return &Error{Message: message, Detail: fmt.Sprintf(format, args...)}
}

func tooLarge(limit Limit, message, format string, args ...any) *Error {
	return &Error{Message: message, Detail: fmt.Sprintf(format, args...), Limit: limit}
}
