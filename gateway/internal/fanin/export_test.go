package fanin

import (
	"github.com/nats-io/nats.go"

	"github.com/fliliy/chat/gateway/internal/event"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// options of all that the tests take apart: making its metrics costs more than what is measured or fuzzed.
var options = Options{}.withDefaults()

// Taker returns what decodes data as if it had come on the subject of a log, and delivers it.
func Taker(log event.Log, hub Hub) func(data []byte) {
	f, l := &Fanin{options: options}, newLane(2)
	l.put("subject", &interest{log: log, destination: log.Destination()})
	m := &nats.Msg{Subject: "subject"}
	return func(data []byte) {
		m.Data = data
		f.take(l, m, hub)
	}
}

// TakeHeads decodes data as if it had come as a digest, and delivers it.
func TakeHeads(data []byte, hub Hub) {
	(&Fanin{options: options}).takeHeads(&nats.Msg{Data: data}, hub)
}

// Decode reads an envelope as take does, into the contract's own words.
func Decode(data []byte) (*chatv1.Envelope, error) {
	var e envelope
	if err := e.decode(data); err != nil {
		return nil, err
	}
	read := &chatv1.Envelope{Log: &chatv1.LogRef{}}
	switch {
	case e.room != 0:
		read.Log.Log = &chatv1.LogRef_ChatRoomId{ChatRoomId: e.room}
	case len(e.user) > 0:
		read.Log.Log = &chatv1.LogRef_UserId{UserId: string(e.user)}
	}
	for i := range e.events {
		from := &e.events[i]
		read.Events = append(read.Events, &chatv1.Event{
			Seq: from.seq, Kind: from.kind, MessageId: string(from.messageID), UserId: string(from.userID),
			MemberChange: from.change, Json: from.json,
		})
	}
	return read, nil
}
