package session

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/destination"
	"github.com/fliliy/chat/gateway/internal/principal"
	"github.com/fliliy/chat/gateway/internal/stomp"
)

// verbs are the actions of the chat service behind destinations.
var verbs = map[destination.Kind]action.Verb{
	destination.RoomSend:   action.Send,
	destination.RoomRead:   action.Read,
	destination.RoomTyping: action.Typing,
	destination.RoomEdit:   action.Edit,
	destination.RoomRecall: action.Recall,
	destination.Plain:      action.Publish,
}

// send passes a SEND on to whom it is for. The sender is the session's user, whatever headers or body claim.
func (s *session) send(f *stomp.Frame) error {
	if _, named := f.Header.Lookup(destinationHeader); !named {
		return malformed(f, "missing header", "SEND needs the header destination")
	}
	if _, within := f.Header.Lookup(transactionHeader); within {
		return s.sendWithin(f)
	}
	req := requestOf(f)
	target, refused := s.deps.Destinations.ParseSend(req.destination)
	if refused != nil {
		req.body = f.Body
		s.answer(req, invalid("%v", refused))
		return nil
	}
	if cause, err := s.maySend(); cause != nil || err != nil {
		req.body = f.Body
		return s.refuseOrEnd(req, cause, err)
	}
	switch target.Kind {
	case destination.UserStatus:
		s.answer(req, s.setStatus(f.Body))
	case destination.UserToken:
		return s.renewToken(req, f.Body)
	default:
		act := newAction(f, target)
		req.body = act.Body
		s.submit(req, []action.Action{act})
	}
	return nil
}

// newAction makes an action of a SEND. The body is copied: the frame's own goes with the next frame.
func newAction(f *stomp.Frame, target destination.Destination) action.Action {
	act := action.Action{
		Verb:        verbs[target.Kind],
		Room:        target.Room,
		ContentType: f.Header.Get("content-type"),
		Body:        bytes.Clone(f.Body),
	}
	if target.Kind == destination.Plain {
		act.Message = &action.Message{
			Destination: f.Header.Get(destinationHeader), Header: slices.Clone(f.Header),
		}
	}
	return act
}

// hold waits while this node is behind with delivering, so that senders do not run ahead of it.
func (s *session) hold() {
	calm := s.crew.behind()
	if calm == nil {
		return
	}
	ctx, done := s.call()
	defer done()
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Hold.For)
	defer cancel()
	for calm != nil {
		select {
		case <-calm:
			calm = s.crew.behind()
		case <-ctx.Done():
			return
		}
	}
}

// submit hands actions to the chat service and goes on; the outcome is told when it is there, in the frames' order.
func (s *session) submit(req request, actions []action.Action) {
	s.hold()
	if len(actions) == 1 && actions[0].Verb == action.Send {
		req.said = actions[0].Room
	}
	p := s.admit(req)
	if p == nil {
		return
	}
	allowance := s.reader.allowance
	takeOfRooms(allowance, actions)
	s.deps.Relay.Submit(s.user, actions, func(stored []action.Stored, err error) {
		if err == nil && len(stored) != len(actions) {
			err = fmt.Errorf("the relay told %d outcomes of %d actions", len(stored), len(actions))
		}
		settleWithRooms(allowance, actions, stored, err)
		s.settle(p, stored, err)
	})
}

// hears says whether a message to a room comes back to the session, by a subscription of its own. Call it under mu.
func (s *session) hears(room int64) bool {
	return room > 0 && slices.ContainsFunc(s.subs, func(sub *subscription) bool {
		return sub.log.Room == room && !sub.joining
	})
}

// setStatus is SEND /app/user/status.
func (s *session) setStatus(body []byte) error {
	var wanted struct {
		Status string `json:"status"`
	}
	if err := json.Unmarshal(body, &wanted); err != nil {
		return invalid(`the body has to be JSON, as in {"status":"away"}`)
	}
	switch wanted.Status {
	case "online", "away", "busy":
		s.deps.Presence.SetStatus(s.id, s.user, wanted.Status)
		return nil
	}
	return invalid("the status has to be online, away or busy")
}

// renewToken is SEND /app/user/token: the session lives on under a new token of the same user. A token that is no
// good ends it, as in CONNECT.
func (s *session) renewToken(req request, body []byte) error {
	var fresh struct {
		Token string `json:"token"`
	}
	if json.Unmarshal(body, &fresh) != nil || fresh.Token == "" {
		s.answer(req, invalid(`the body has to be JSON, as in {"token":"..."}`))
		return nil //nolint:nilerr // the error of one message, and told as such
	}
	who, err := s.prove(s.deps.Auth.Verify, fresh.Token)
	if err == nil && who.User != s.user {
		err = unauthenticated("the new token is of another user than the session")
	}
	if err == nil {
		err = s.checkExpired(who)
	}
	if err != nil {
		failed := s.failureOf(err)
		failed.receiptID = req.receiptID
		return failed
	}
	if !s.extend(who) {
		s.answer(req, invalid("the new token ends before that of the session, which goes on as it is"))
		return nil
	}
	if err := s.checkRevoked(who); err != nil { // revoked since it was verified
		return refusal(s.causeOf(err), req.receiptID)
	}
	s.answer(req, nil)
	return nil
}

// extend has the session live under a new token, unless that would end it earlier.
func (s *session) extend(who principal.Principal) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.expires
	if !who.Expires.IsZero() && (now.IsZero() || who.Expires.Before(now)) {
		return false
	}
	s.issued, s.clock.expires = who.Issued, who.Expires
	s.rearm()
	return true
}
