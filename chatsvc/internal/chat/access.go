package chat

// action is something a user wants to do in a room.
type action uint8

const (
	actSend action = iota + 1
	actRead        // history, members, the live log
	actMark        // move the own read mark, tell that one types
	actAdd         // bring in members
	actLeave
	actRemove // remove another member
)

// may is the one place that says who may do what in a room. The zero Member, somebody who is not in the room, may do
// nothing. Everything about a room that is refused says why, except to those who are not in it: to them it looks
// exactly like a room that does not exist.
func may(m Member, do action, room int64) *Error {
	switch {
	case m.Role == 0:
		return noSuchRoom(room)
	case do == actRemove && m.Role != RoleOwner:
		return refuse(Forbidden, "only the owner of room %d may remove other members", room)
	}
	return nil
}

func noSuchRoom(room int64) *Error {
	return refuse(Forbidden, "room %d does not exist, or you are not a member of it", room)
}
