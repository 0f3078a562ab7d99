package session

import (
	"context"
	"errors"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/principal"
)

// prove has a token or a ticket judged, unless too many from the same place were bad.
func (s *session) prove(
	judge func(context.Context, string) (principal.Principal, error), shown string,
) (principal.Principal, error) {
	ctx, done := s.call()
	defer done()
	if s.reader.door == nil {
		return judge(ctx, shown)
	}
	if refused := s.reader.door.Guesses(); refused != nil {
		return nobody, refused
	}
	who, err := judge(ctx, shown)
	var refused *event.Error
	if errors.As(err, &refused) && (refused.Code == event.Unauthenticated || refused.Code == event.TokenExpired) {
		s.reader.door.Guessed()
	}
	return who, err
}

// letIn asks whether one more session of the user may be; nil when it may, or nobody limits sessions.
func (s *session) letIn(user string) error {
	if s.reader.door == nil {
		return nil
	}
	allowance, refused := s.reader.door.Enter(user)
	if refused != nil {
		return refusal(refused, "")
	}
	s.reader.allowance = allowance
	return nil
}

// allowed judges the answer of the session's allowance: a refusal is of one message, unless there is no end of them.
func (s *session) allowed(refused *event.Error) (*event.Error, error) {
	if refused != nil && s.reader.allowance.Abusive() {
		return nil, refusal(&event.Error{
			Code: event.RateLimited, Message: "too much was sent that had been refused: connect again, and slow down",
		}, "")
	}
	return refused, nil
}

// maySend takes a SEND of the allowance. The error is the session's end.
func (s *session) maySend() (*event.Error, error) {
	if s.reader.allowance == nil {
		return nil, nil
	}
	return s.allowed(s.reader.allowance.Send())
}

// maySubscribe is maySend for a SUBSCRIBE.
func (s *session) maySubscribe() (*event.Error, error) {
	if s.reader.allowance == nil {
		return nil, nil
	}
	return s.allowed(s.reader.allowance.Subscribe())
}

// takeOfRooms takes what becomes messages of the rates of their rooms. What is beyond is not refused here, but marked
// for the chat service to refuse: it tells those who are not in the room what it always tells them, and so nobody learns
// from outside which rooms are busy.
func takeOfRooms(allowance Allowance, actions []action.Action) {
	if allowance == nil {
		return
	}
	for i := range actions {
		if act := &actions[i]; act.Verb.Stores() {
			act.HoldOff = allowance.Room(act.Room)
		}
	}
}

// settleWithRooms gives back what was taken of rooms for nothing: strangers, repeats and refusals use up no room's rate.
// It is called when the outcome is there, from any goroutine.
func settleWithRooms(allowance Allowance, actions []action.Action, stored []action.Stored, err error) {
	if allowance == nil {
		return
	}
	held := false
	for i := range actions {
		act := &actions[i]
		took := act.Verb.Stores() && act.HoldOff == 0
		held = held || act.HoldOff > 0
		if took && (err != nil || stored[i].Duplicate) {
			allowance.RoomBack(act.Room)
		}
	}
	if refused, ok := errors.AsType[*event.Error](err); held && ok && refused.Code == event.RateLimited {
		allowance.RoomRefused()
	}
}

// refuseOrEnd refuses one message, or returns the error that ends the session.
func (s *session) refuseOrEnd(req request, cause *event.Error, err error) error {
	if err == nil {
		s.answer(req, cause)
	}
	return err
}
