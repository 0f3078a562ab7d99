package event

import "time"

// Code is a contract error code, as clients see it in ERROR events, ERROR frames and REST errors.
type Code string

// The codes of the contract.
const (
	Unauthenticated Code = "UNAUTHENTICATED"
	TokenExpired    Code = "TOKEN_EXPIRED"
	Forbidden       Code = "FORBIDDEN"
	Invalid         Code = "INVALID"
	TooLarge        Code = "TOO_LARGE"
	RateLimited     Code = "RATE_LIMITED"
	SlowConsumer    Code = "SLOW_CONSUMER"
	Unavailable     Code = "UNAVAILABLE"
	Internal        Code = "INTERNAL"
)

// Error is a refusal in the words of the contract. Adapters return it, wrapped or not; anything else that reaches a
// session is INTERNAL, and its text is logged and not shown.
type Error struct {
	Code            Code
	Message         string // for a person: what happened, to what, what to do
	ClientMessageID string // of the refused message, where it had one
	RetryAfter      time.Duration
}

func (e *Error) Error() string {
	return string(e.Code) + ": " + e.Message
}
