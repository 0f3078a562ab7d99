package conformance

import (
	"strconv"
	"strings"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/stomp"
)

// message is what a client sent. It is not changed once it is made.
type message struct {
	number      int // among all of the broker; the message-id
	destination string
	prepared    *stomp.Prepared
	header      stomp.Header
	redelivered bool
}

// reserved headers of a SEND are not passed on: they mean something else in a MESSAGE, or are nobody else's business.
// In lower case: "Authorization" is as secret as "authorization".
var reserved = map[string]bool{
	"destination": true, "message-id": true, "subscription": true, "ack": true, "redelivered": true,
	"receipt": true, "receipt-id": true, "transaction": true, "content-length": true,
	"login": true, "passcode": true, "authorization": true, "x-authorization": true, "token": true,
}

func newMessage(number int, act *action.Action) *message {
	m := &message{number: number, destination: act.Message.Destination}
	m.header = stomp.Header{
		{Key: "destination", Value: m.destination},
		{Key: "message-id", Value: strconv.Itoa(number)},
	}
	for _, field := range act.Message.Header {
		if _, repeated := m.header.Lookup(field.Key); !repeated && !reserved[strings.ToLower(field.Key)] {
			m.header = append(m.header, field)
		}
	}
	m.prepared = stomp.NewPrepared(m.header, act.Body)
	return m
}

// again is the message as it is delivered after somebody did not take it.
func (m *message) again() *message {
	if m.redelivered {
		return m
	}
	again := *m
	again.redelivered = true
	again.header = append(m.header[:len(m.header):len(m.header)], stomp.Field{Key: "redelivered", Value: "true"})
	again.prepared = stomp.NewPrepared(again.header, m.prepared.Body())
	return &again
}

func (m *message) size() int { return len(m.prepared.Body()) }
