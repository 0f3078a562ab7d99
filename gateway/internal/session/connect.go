package session

import (
	"strings"
	"time"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/principal"
	"github.com/fliliy/chat/gateway/internal/stomp"
	"github.com/fliliy/chat/gateway/internal/transport"
	"github.com/fliliy/chat/proto/identity"
)

// tokenHeaders are where clients put the token in CONNECT, in the order they are looked at.
var tokenHeaders = []string{"Authorization", "X-Authorization", "token", passcodeHeader}

const (
	ticketHeader   = "ticket" // before any token
	passcodeHeader = "passcode"
	bearer         = "bearer "
)

// connect answers CONNECT or STOMP: version, heart-beat, user (STOMP 1.2, "Connecting").
func (s *session) connect(f *stomp.Frame) error {
	version, err := negotiate(f)
	if err != nil {
		return err
	}
	s.setVersion(version)
	offer, ok := parseHeartBeat(f.Header)
	if !ok {
		return malformed(f, "bad heart-beat",
			"the header heart-beat has to be two numbers of milliseconds from 0 on, as in 10000,10000")
	}
	who, err := s.authenticate(f.Header)
	if err != nil {
		return err
	}
	if err := s.enroll(who); err != nil {
		return refusal(s.causeOf(err), "")
	}
	if err := s.letIn(who.User); err != nil {
		return err
	}
	s.welcome(who, offer)
	return nil
}

func negotiate(f *stomp.Frame) (stomp.Version, error) {
	accepted, named := f.Header.Lookup("accept-version")
	if !named {
		return stomp.V10, nil
	}
	version, ok := stomp.Negotiate(accepted)
	if !ok {
		failed := malformed(f, "no common version", "supported protocol versions are "+stomp.Versions)
		failed.versions = stomp.Versions
		return 0, failed
	}
	return version, nil
}

func (s *session) setVersion(v stomp.Version) {
	s.reader.decoder.SetVersion(v)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version = v
}

// nobody is the principal of an error.
var nobody principal.Principal

// authenticate says who the user is, from the ticket or the token in CONNECT or those of the handshake. Two must agree.
func (s *session) authenticate(header stomp.Header) (principal.Principal, error) {
	judge, shown := s.deps.Auth.Verify, s.connectToken(header)
	if ticket := header.Get(ticketHeader); ticket != "" && s.deps.Tickets != nil {
		judge, shown = s.deps.Tickets.Redeem, ticket
	}
	if shown == "" {
		if s.user == "" {
			return nobody, unauthenticated("no token: put one into the CONNECT header Authorization")
		}
		who := principal.Principal{User: s.user, Issued: s.issued, Expires: s.clock.expires}
		return who, s.checkExpired(who)
	}
	who, err := s.prove(judge, shown)
	switch {
	case err != nil:
		return nobody, refusal(s.causeOf(err), "")
	case identity.ValidUserID(who.User) != nil:
		return nobody, unauthenticated("the token names no valid user")
	case s.user != "" && s.user != who.User:
		return nobody, unauthenticated("the token in CONNECT is of another user than that of the connection")
	}
	return who, s.checkExpired(who)
}

// connectToken finds the token in CONNECT, "" for none. Many clients always send a passcode such as "guest": where the
// handshake has told the user already, only a passcode that looks like a token counts as one.
func (s *session) connectToken(header stomp.Header) string {
	for _, key := range tokenHeaders {
		token := trimBearer(header.Get(key))
		if key == passcodeHeader && s.user != "" && strings.Count(token, ".") != 2 {
			continue
		}
		if token != "" {
			return token
		}
	}
	return ""
}

func trimBearer(value string) string {
	value = strings.TrimSpace(value)
	if len(value) >= len(bearer) && strings.EqualFold(value[:len(bearer)], bearer) {
		return strings.TrimSpace(value[len(bearer):])
	}
	return value
}

func (s *session) checkExpired(who principal.Principal) error {
	if passed(who.Expires, time.Now()) {
		return refusal(&event.Error{Code: event.TokenExpired, Message: "the token has expired; get a new one"}, "")
	}
	return nil
}

func unauthenticated(detail string) *failure {
	return &failure{
		code: event.Unauthenticated, close: transport.ClosePolicy,
		message: string(event.Unauthenticated), detail: detail,
	}
}

// welcome makes the session a connected one. Headers of CONNECTED are never escaped; none of them can hold an
// end-of-line: user ids have no control characters.
func (s *session) welcome(who principal.Principal, offer HeartBeat) {
	s.reader.state = connected
	s.reader.decoder.SetLimits(s.cfg.Limits)
	s.mu.Lock()
	c := &s.clock
	c.connectBy, c.expires = time.Time{}, who.Expires
	c.beatEvery = interval(s.cfg.HeartBeat.Send, offer.Receive)
	c.silenceMax = patience(interval(offer.Send, s.cfg.HeartBeat.Receive))
	c.lastOut = time.Now()
	s.rearm()
	s.enqueue(item{raw: stomp.AppendFrame(nil, s.version, &stomp.Frame{
		Command: stomp.CmdConnected,
		Header: stomp.Header{
			{Key: versionHeader, Value: s.version.String()},
			{Key: "heart-beat", Value: s.cfg.HeartBeat.header()},
			{Key: "session", Value: s.id},
			{Key: "server", Value: s.cfg.Server},
			{Key: "user-name", Value: who.User},
		},
	})})
	s.mu.Unlock()
	s.deps.Presence.Connect(s.id, who.User)
	if s.deps.Metrics != nil {
		s.deps.Metrics.SessionsTotal.Inc()
	}
}
