package relay

import (
	"strings"
	"time"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/wire"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// commandOverhead is about what a command takes in a request and in memory besides its bodies.
const commandOverhead = 128

// command is one Submit on its way. Its lane's mutex guards everything in it but the message, which nobody changes
// while it is being sent.
type command struct {
	message  chatv1.RelayCommand
	single   chatv1.Action // the action of a command with one, to save an allocation
	pointer  [1]*chatv1.Action
	done     func([]action.Stored, error)
	deadline time.Time
	size     int // in bytes, about
	sends    int // how often it was sent
}

func newCommand(user string, actions []action.Action, done func([]action.Stored, error)) *command {
	c := &command{done: done, size: commandOverhead + len(user)}
	c.message.UserId = strings.ToValidUTF8(user, "") // verified ids are valid; see fill
	if len(actions) == 1 {
		fill(&c.single, &actions[0])
		c.pointer[0] = &c.single
		c.message.Actions = c.pointer[:]
		c.size += len(actions[0].Body)
		return c
	}
	all := make([]chatv1.Action, len(actions))
	c.message.Actions = make([]*chatv1.Action, len(actions))
	for i := range actions {
		fill(&all[i], &actions[i])
		c.message.Actions[i] = &all[i]
		c.size += commandOverhead + len(actions[i].Body)
	}
	return c
}

func fill(to *chatv1.Action, from *action.Action) {
	to.Verb = verbOf(from.Verb)
	to.ChatRoomId = from.Room
	to.ContentType = strings.ToValidUTF8(from.ContentType, "") // protobuf would refuse the whole batch
	to.Body = from.Body
	to.HoldOffMs = from.HoldOff.Milliseconds()
}

// verbOf translates a verb; one that is unknown here goes out as unspecified, for the service to refuse.
func verbOf(v action.Verb) chatv1.Verb {
	switch v {
	case action.Send:
		return chatv1.Verb_VERB_SEND
	case action.Read:
		return chatv1.Verb_VERB_READ
	case action.Typing:
		return chatv1.Verb_VERB_TYPING
	case action.Edit:
		return chatv1.Verb_VERB_EDIT
	case action.Recall:
		return chatv1.Verb_VERB_RECALL
	case action.Delivered:
		return chatv1.Verb_VERB_DELIVERED
	default:
		return chatv1.Verb_VERB_UNSPECIFIED
	}
}

// answer ends the command with its result; stored is where its outcomes go, one per action.
func (c *command) answer(result *chatv1.RelayResult, stored []action.Stored) {
	if refusal := result.GetRefusal(); refusal != nil {
		c.done(nil, wire.Refused(refusal))
		return
	}
	if len(result.GetStored()) != len(c.message.Actions) {
		c.done(nil, &event.Error{Code: event.Internal, Message: "the chat service gave an answer that does not fit " +
			"what was sent; whether it was stored is not known"})
		return
	}
	for i, s := range result.GetStored() {
		stored[i] = action.Stored{MessageID: s.GetMessageId(), Seq: s.GetSeq(), Duplicate: s.GetDuplicate()}
	}
	c.done(stored, nil)
}
