package session

import (
	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/stomp"
	"github.com/fliliy/chat/gateway/internal/transport"
)

// state is how far a session's life has come. After DISCONNECT, or an ERROR, it takes no frames at all.
type state uint8

const (
	stranger  state = iota // has yet to CONNECT
	connected              // has been sent CONNECTED
	states
)

// handler does what a frame asks for. An error, a *failure as a rule, ends the session.
type handler func(*session, *stomp.Frame) error

// commands says what is legal when. A command that is missing is no command of a client.
var commands = map[string][states]handler{
	//                     stranger             connected
	stomp.CmdConnect:     {(*session).connect, refuseSecondConnect},
	stomp.CmdStomp:       {(*session).connect, refuseSecondConnect},
	stomp.CmdSend:        {refuseStranger, (*session).send},
	stomp.CmdSubscribe:   {refuseStranger, (*session).subscribe},
	stomp.CmdUnsubscribe: {refuseStranger, (*session).unsubscribe},
	stomp.CmdAck:         {refuseStranger, (*session).acknowledge},
	stomp.CmdNack:        {refuseStranger, (*session).acknowledge},
	stomp.CmdBegin:       {refuseStranger, (*session).begin},
	stomp.CmdCommit:      {refuseStranger, (*session).commit},
	stomp.CmdAbort:       {refuseStranger, (*session).abort},
	stomp.CmdDisconnect:  {refuseStranger, (*session).disconnect},
}

// handle judges one frame.
func (s *session) handle(f *stomp.Frame) error {
	s.countFrame(f.Command)
	handlers, known := commands[f.Command]
	if !known {
		return malformed(f, "unknown command", f.Command+" is not a command that clients send")
	}
	return handlers[s.reader.state](s, f)
}

func refuseStranger(_ *session, f *stomp.Frame) error {
	failed := malformed(f, "not connected", "the first frame has to be CONNECT or STOMP, not "+f.Command)
	failed.code = event.Unauthenticated
	return failed
}

func refuseSecondConnect(_ *session, f *stomp.Frame) error {
	return malformed(f, "already connected", "a session has one CONNECT; open another connection for another session")
}

// malformed is a failure of a frame that breaks the protocol.
func malformed(f *stomp.Frame, message, detail string) *failure {
	return &failure{
		code:      event.Invalid,
		close:     transport.CloseProtocol,
		message:   message,
		detail:    detail,
		receiptID: f.Header.Get(receiptHeader),
	}
}

// beyondLimit is a failure of a frame that wants more of something than a session may have.
func beyondLimit(f *stomp.Frame, limit, message, detail string) *failure {
	failed := malformed(f, message, detail)
	failed.close, failed.limit = transport.ClosePolicy, limit
	return failed
}

// required returns the value of a header that the frame must have, and that must not be empty or too long.
func required(f *stomp.Frame, key string) (string, error) {
	value := f.Header.Get(key)
	switch {
	case value == "":
		return "", malformed(f, "missing header", f.Command+" needs the header "+key)
	case len(value) > maxName:
		return "", malformed(f, "header too long", "the header "+key+" may have at most 255 bytes")
	}
	return value, nil
}

// maxName is the longest id or name, in bytes, that a session remembers.
const maxName = 255
