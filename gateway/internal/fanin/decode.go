package fanin

import (
	"errors"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// Numbers of the fields of the contract (envelope.proto).
const (
	envelopeLog, envelopeEvents = 1, 2
	logRoom, logUser            = 1, 2

	eventSeq, eventKind, eventMessageID, eventUserID = 1, 2, 3, 4
	eventMemberChange, eventJSON                     = 5, 6
)

var errNoText = errors.New("a text is not valid UTF-8")

// envelope is a chatv1.Envelope where it lies, in the bytes of its message: nothing is copied and nothing allocated, since
// most of what arrives in small rooms are copies for sessions that have the original. It reads exactly what
// proto.Unmarshal does, at a third of its cost; FuzzDecode compares them.
type envelope struct {
	room   int64
	user   []byte
	events []entry
}

// entry is a chatv1.Event of an envelope.
type entry struct {
	seq       int64
	kind      chatv1.EventKind
	messageID []byte
	userID    []byte
	change    chatv1.MemberChange
	json      []byte
}

// decode reads data, which the envelope refers to from then on. It may be called again and again.
func (e *envelope) decode(data []byte) error {
	*e = envelope{events: e.events[:0]}
	return fields(data, func(number protowire.Number, value uint64, text []byte) error {
		switch {
		case number == envelopeLog && text != nil:
			return e.decodeLog(text)
		case number == envelopeEvents && text != nil:
			e.events = append(e.events, entry{})
			return e.events[len(e.events)-1].decode(text)
		}
		return nil
	})
}

// newest is the last seq of its events; 0 where they have none.
func (e *envelope) newest() int64 {
	newest := int64(0)
	for i := range e.events {
		newest = max(newest, e.events[i].seq)
	}
	return newest
}

func (e *envelope) decodeLog(data []byte) error {
	return fields(data, func(number protowire.Number, value uint64, text []byte) error {
		switch {
		case number == logRoom && text == nil:
			e.room, e.user = int64(value), nil //nolint:gosec // G115: as protobuf means it
		case number == logUser && text != nil:
			e.room, e.user = 0, text
			return valid(text)
		}
		return nil
	})
}

func (e *entry) decode(data []byte) error {
	return fields(data, func(number protowire.Number, value uint64, text []byte) error {
		switch {
		case number == eventSeq && text == nil:
			e.seq = int64(value) //nolint:gosec // G115: as protobuf means it
		case number == eventKind && text == nil:
			e.kind = chatv1.EventKind(value) //nolint:gosec // G115: as protobuf means it
		case number == eventMemberChange && text == nil:
			e.change = chatv1.MemberChange(value) //nolint:gosec // G115: as protobuf means it
		case number == eventMessageID && text != nil:
			e.messageID = text
			return valid(text)
		case number == eventUserID && text != nil:
			e.userID = text
			return valid(text)
		case number == eventJSON && text != nil:
			e.json = text
		}
		return nil
	})
}

func valid(text []byte) error {
	if !utf8.Valid(text) {
		return errNoText
	}
	return nil
}

// fields calls take for each field of a message that is a number, with its value, or has a length, with what it holds,
// which is not nil. Others are not of the contract and are skipped.
func fields(data []byte, take func(number protowire.Number, value uint64, text []byte) error) error {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		var err error
		switch kind {
		case protowire.VarintType:
			var value uint64
			if value, n = protowire.ConsumeVarint(data); n >= 0 {
				err = take(number, value, nil)
			}
		case protowire.BytesType:
			var text []byte
			if text, n = protowire.ConsumeBytes(data); n >= 0 {
				err = take(number, 0, text)
			}
		default:
			n = protowire.ConsumeFieldValue(number, kind, data)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}
