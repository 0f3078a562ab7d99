// Package wire translates between the protobuf messages of the contract and the gateway's own words: events and logs
// in event.go, refusals and gRPC statuses in status.go. The adapters that speak protobuf (relay, rest) call it, so
// that each thing is mapped once; it holds no connection, no state and no chat rule.
package wire

import (
	"encoding/json"
	"strings"

	"github.com/fliliy/chat/gateway/internal/event"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// kinds are the client's words for the kinds of the contract; built once, since it is asked for every event.
var kinds = func() map[chatv1.EventKind]event.Kind {
	words := make(map[chatv1.EventKind]event.Kind, len(chatv1.EventKind_name))
	for number, name := range chatv1.EventKind_name {
		words[chatv1.EventKind(number)] = event.Kind(strings.TrimPrefix(name, "EVENT_KIND_"))
	}
	delete(words, chatv1.EventKind_EVENT_KIND_UNSPECIFIED)
	return words
}()

// Event makes the gateway's event, with its MESSAGE frame for the destination. It keeps e's JSON without copying it.
func Event(destination string, e *chatv1.Event) event.Event {
	made := event.New(destination, kindOf(e), e.GetSeq(), e.GetMessageId(), e.GetJson())
	made.User = e.GetUserId()
	made.Ends = ends(e.GetMemberChange())
	return made
}

// ends says whether a change ends the membership of its user.
func ends(change chatv1.MemberChange) bool {
	switch change {
	case chatv1.MemberChange_MEMBER_CHANGE_LEFT, chatv1.MemberChange_MEMBER_CHANGE_REMOVED,
		chatv1.MemberChange_MEMBER_CHANGE_BANNED:
		return true
	}
	return false
}

// Spans translates stretches of a log in their order.
func Spans(list []*chatv1.SeqSpan) []event.Span {
	if len(list) == 0 {
		return nil
	}
	made := make([]event.Span, len(list))
	for i, s := range list {
		made[i] = event.Span{First: s.GetFirstSeq(), Last: s.GetLastSeq()}
	}
	return made
}

// Events translates events in their order.
func Events(destination string, list []*chatv1.Event) []event.Event {
	if len(list) == 0 {
		return nil
	}
	made := make([]event.Event, len(list))
	for i, e := range list {
		made[i] = Event(destination, e)
	}
	return made
}

// kindOf is the event's kind. One that is newer than this gateway is read from the client's JSON: the event is part
// of its log all the same, and leaving it out would make a hole.
func kindOf(e *chatv1.Event) event.Kind {
	if kind, ok := kinds[e.GetKind()]; ok {
		return kind
	}
	var body struct {
		Event event.Kind `json:"event"`
	}
	if json.Unmarshal(e.GetJson(), &body) != nil {
		return ""
	}
	return body.Event
}

// LogRef names a log on the wire.
func LogRef(log event.Log) *chatv1.LogRef {
	if log.Room > 0 {
		return &chatv1.LogRef{Log: &chatv1.LogRef_ChatRoomId{ChatRoomId: log.Room}}
	}
	return &chatv1.LogRef{Log: &chatv1.LogRef_UserId{UserId: log.User}}
}
