package chat

import "time"

// action is something a user wants to do in a room.
type action uint8

const (
	actSend   action = iota + 1 // a message, or an edit of one
	actType                     // tell that one types
	actRecall                   // take an own message back
	actRead                     // history, members, the live log
	actMark                     // move the own read and delivered marks
	actAdd                      // bring in members
	actLeave
	actRemove // remove another member
)

// ofMuted are what a member may still do who is muted: nothing that others would get to see as hers, but for taking a
// message back.
var ofMuted = map[action]bool{actRead: true, actMark: true, actRecall: true, actLeave: true}

// may is the one place that says who may do what in a room. The zero Member, somebody who is not in the room (a stranger,
// one who was a member, one who is banned), may do nothing. Everything about a room that is refused says why, except to
// those who are not in it: to them it looks exactly like a room that does not exist. at is now, for what ends by itself.
func may(m Member, do action, room int64, at time.Time) *Error {
	switch {
	case m.Role == 0:
		return noSuchRoom(room)
	case m.Muted(at) && !ofMuted[do]:
		return refuse(Forbidden, "you are muted in room %d%s: you can read, and cannot write", room, ending(m.MutedUntil))
	case do == actRemove && m.Role != RoleOwner:
		return refuse(Forbidden, "only the owner of room %d may remove other members", room)
	}
	return nil
}

func noSuchRoom(room int64) *Error {
	return refuse(Forbidden, "room %d does not exist, or you are not a member of it", room)
}

// ending says, within a sentence, until when something holds; nothing where it has no end.
func ending(until time.Time) string {
	if !until.Before(Forever) {
		return ""
	}
	return " until " + until.UTC().Format(time.RFC3339)
}
