package stomp

import "fmt"

// Error says why bytes are no frame. The connection cannot go on after one: what follows has no known beginning.
// Its texts are meant for the client (an ERROR frame) and never hold header values or body.
type Error struct {
	Message   string // short, for the "message" header
	Detail    string // what was wrong and what is expected
	TooLarge  bool   // a limit, not the form, was broken
	ReceiptID string // the receipt header of the refused frame, where it was read before the fault; else ""
}

func (e *Error) Error() string {
	return e.Message + ": " + e.Detail
}

func malformed(message, format string, args ...any) *Error {
	return &Error{Message: message, Detail: fmt.Sprintf(format, args...)}
}

func tooLarge(message, format string, args ...any) *Error {
	return &Error{Message: message, Detail: fmt.Sprintf(format, args...), TooLarge: true}
}
