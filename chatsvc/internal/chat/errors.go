package chat

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Code is a contract error code, as clients see it in ERROR events, ERROR frames and REST errors.
type Code string

// The codes that the rules and the store use.
const (
	Forbidden   Code = "FORBIDDEN"
	Invalid     Code = "INVALID"
	TooLarge    Code = "TOO_LARGE"
	RateLimited Code = "RATE_LIMITED"
	Unavailable Code = "UNAVAILABLE"
	Internal    Code = "INTERNAL"
)

// Error is a refusal in the words of the contract; its Message is for the client's eyes.
type Error struct {
	Code            Code
	Message         string        // what happened, to what, what to do
	ClientMessageID string        // of the refused message, where it had one
	Action          int           // which draft of the unit was refused, from 0
	RetryAfter      time.Duration // when to try again; 0 where nothing is known
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// CodeOf returns the code of err as Refusal sees it; nil has no code.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return Refusal(err).Code
}

// Refusal returns what clients may see of an error: the first *Error in its chain; UNAVAILABLE for a database that
// is away and for time that ran out; INTERNAL, without the error's own text, for everything else. err is not nil.
func Refusal(err error) *Error {
	if refusal, ok := errors.AsType[*Error](err); ok {
		return refusal
	}
	if _, doubt := errors.AsType[*InDoubt](err); doubt {
		return &Error{
			Code: Unavailable,
			Message: "the store did not say whether it is done: look, or try again, with the same clientMessageId if there " +
				"is one",
			RetryAfter: time.Second,
		}
	}
	if errors.Is(err, ErrTransient) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return &Error{
			Code:       Unavailable,
			Message:    "the store did not answer in time: try again, with the same clientMessageId if there is one",
			RetryAfter: time.Second,
		}
	}
	return &Error{Code: Internal, Message: "the service has a fault: it has been logged"}
}

// ErrTransient marks an error of a store after which nothing was stored and the same call may succeed: a deadlock,
// a lost connection, a time-out before the commit.
var ErrTransient = errors.New("nothing was stored; the database may be back in a moment")

// InDoubt is the error of a transaction whose commit was sent and never answered: it is stored whole, or not at all.
type InDoubt struct {
	// Settle, set for appends, asks the database which of the two it is, waiting for a commit that is still under way:
	// the outcome of the append and true when it is stored; false when it is not and never will be. An error leaves
	// the doubt.
	Settle SettleFunc
	Err    error
}

func (e *InDoubt) Error() string { return "commit was not answered: " + e.Err.Error() }
func (e *InDoubt) Unwrap() error { return e.Err }

func roomIsBusy(room int64, wait time.Duration) *Error {
	refusal := refuse(RateLimited, "room %d has more messages at the moment than it may; try again in %v", room, wait)
	refusal.RetryAfter = wait
	return refusal
}

func refuse(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
