package rpc

import (
	"errors"
	"fmt"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// commandOverhead is about what a command takes in memory besides its bodies.
const commandOverhead = 512

// job is one command on its way through a relay stream.
type job struct {
	id      uint64
	size    int // in bytes, about
	user    string
	actions int
	sends   []chat.Draft
	marks   []mark
	// sendAt has the action of each send, for refusals; nil when they are the same.
	sendAt []int
	// ordinal counts the units of a stream in the order in which they went to the scribe.
	ordinal uint64
	// Guarded by the stream's mutex:
	stored bool   // the scribe has answered
	after  []*job // jobs whose marks wait for that
}

// mark is an action that stores no event: a read or delivered mark, or a typing notice.
type mark struct {
	verb   chatv1.Verb
	room   int64
	seq    int64 // of a read mark, 0 is everything
	action int
}

// badAction is what is wrong with one action of a command.
type badAction struct {
	action int
	err    error
}

// parse reads a command into a job. Nothing of a command with a bad action is carried out.
func parse(c *chatv1.RelayCommand, j *job) *badAction {
	actions := c.GetActions()
	if err := chat.ValidUserID(c.GetUserId()); err != nil {
		return &badAction{0, err}
	}
	switch {
	case len(actions) == 0:
		return &badAction{0, invalid("the command has no actions")}
	case len(actions) > chat.MaxUnit:
		return &badAction{chat.MaxUnit, &chat.Error{Code: chat.TooLarge, Message: fmt.Sprintf(
			"%d actions are to take effect together, at most %d are allowed", len(actions), chat.MaxUnit)}}
	}
	for i, a := range actions {
		if err := j.add(i, a); err != nil {
			return &badAction{i, err}
		}
	}
	if len(j.sends) == len(actions) {
		j.sendAt = nil
	}
	return nil
}

func (j *job) add(i int, a *chatv1.Action) error {
	if len(a.GetBody()) > maxBody {
		return &chat.Error{Code: chat.TooLarge, Message: fmt.Sprintf(
			"the body has %d bytes, at most %d are allowed", len(a.GetBody()), maxBody)}
	}
	switch a.GetVerb() {
	case chatv1.Verb_VERB_SEND:
		return j.addDraft(i, a, chat.Draft{}, parseSend)
	case chatv1.Verb_VERB_EDIT:
		return j.addDraft(i, a, chat.Draft{Kind: chat.KindEdited}, parseEdit)
	case chatv1.Verb_VERB_RECALL:
		return j.addDraft(i, a, chat.Draft{Kind: chat.KindRecalled}, parseRecall)
	case chatv1.Verb_VERB_READ, chatv1.Verb_VERB_DELIVERED:
		seq, err := parseMark(a.GetBody())
		if err != nil {
			return err
		}
		if seq == 0 && a.GetVerb() == chatv1.Verb_VERB_DELIVERED {
			return invalid("seq is missing: name the newest event that was delivered")
		}
		j.marks = append(j.marks, mark{verb: a.GetVerb(), room: a.GetChatRoomId(), seq: seq, action: i})
		return nil
	case chatv1.Verb_VERB_TYPING:
		j.marks = append(j.marks, mark{verb: a.GetVerb(), room: a.GetChatRoomId(), action: i})
		return nil
	}
	return invalid(fmt.Sprintf("verb %d is unknown here: use send, read, typing, edit or recall", a.GetVerb()))
}

// addDraft adds what becomes an event: parse fills in what the client wrote.
func (j *job) addDraft(i int, a *chatv1.Action, draft chat.Draft, parse func(string, []byte, *chat.Draft) error) error {
	draft.Room, draft.SenderID = a.GetChatRoomId(), j.user
	draft.HoldOff = time.Duration(a.GetHoldOffMs()) * time.Millisecond
	if err := parse(a.GetContentType(), a.GetBody(), &draft); err != nil {
		return about(err, draft.ClientMessageID)
	}
	j.sends = append(j.sends, draft)
	j.sendAt = append(j.sendAt, i)
	return nil
}

// about names the message that is refused, so that the client can find it.
func about(err error, clientMessageID string) error {
	if refusal, ok := errors.AsType[*chat.Error](err); ok && len(clientMessageID) <= chat.MaxClientMessageID {
		refusal.ClientMessageID = clientMessageID
	}
	return err
}

// actionOf returns which action a draft came from.
func (j *job) actionOf(draft int) int {
	if draft >= len(j.sendAt) {
		return draft
	}
	return j.sendAt[draft]
}

// results returns the outcome of a job that took effect: one entry per action, empty for marks.
func (j *job) results(stored []chat.Stored) []*chatv1.Stored {
	all := make([]chatv1.Stored, j.actions)
	out := make([]*chatv1.Stored, j.actions)
	for i := range all {
		out[i] = &all[i]
	}
	for i, s := range stored {
		to := out[j.actionOf(i)]
		to.MessageId, to.Seq, to.Duplicate = s.MessageID, s.Seq, s.Duplicate
	}
	return out
}

// roomsToCheck returns the first mark of each room that has no send: the store checks the rooms of sends itself.
func (j *job) roomsToCheck() []mark {
	known := make(map[int64]bool, len(j.sends)+len(j.marks))
	for i := range j.sends {
		known[j.sends[i].Room] = true
	}
	var check []mark
	for _, m := range j.marks {
		if !known[m.room] {
			known[m.room] = true
			check = append(check, m)
		}
	}
	return check
}
