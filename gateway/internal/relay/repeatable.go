package relay

import (
	"encoding/json"
	"mime"
	"strings"

	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// repeatable says whether a command may take effect twice without harm: marks only move forward, typing is state, what
// is recalled stays so, and a message or an edit with a clientMessageId is stored once, however often it comes. (An
// edit without one may have been followed by another: a repeat would bring the older content back.) It is the one
// place where the gateway looks into a body, and it does so only for commands that a broken stream has left without
// an answer.
func repeatable(c *chatv1.RelayCommand) bool {
	for _, a := range c.GetActions() {
		switch a.GetVerb() {
		case chatv1.Verb_VERB_READ, chatv1.Verb_VERB_TYPING, chatv1.Verb_VERB_DELIVERED, chatv1.Verb_VERB_RECALL:
		case chatv1.Verb_VERB_SEND, chatv1.Verb_VERB_EDIT:
			if !namesItself(a) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

const idField = "clientMessageId"

// namesItself says whether a message carries a clientMessageId beyond doubt. In doubt it does not: a second spelling
// of the field, which another JSON reader might take instead, is enough.
func namesItself(a *chatv1.Action) bool {
	if a.GetContentType() != "" {
		media, _, err := mime.ParseMediaType(a.GetContentType())
		if err != nil || media != "application/json" {
			return false
		}
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(a.GetBody(), &fields) != nil {
		return false
	}
	for name := range fields {
		if name != idField && strings.EqualFold(name, idField) {
			return false
		}
	}
	var id string
	return json.Unmarshal(fields[idField], &id) == nil && id != ""
}
