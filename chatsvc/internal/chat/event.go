package chat

import (
	"encoding/json"
	"strconv"
	"time"
)

// LogRef names a log: a room's (Room > 0), or a user's inbox (User). It is a map key.
type LogRef struct {
	Room int64
	User string
}

// Head is a log's newest seq; 0 for an empty log and for one that does not exist.
type Head struct {
	Log LogRef
	Seq int64
}

// Kind is what an event says happened; it stands in the client's JSON as "event".
type Kind string

// Kinds of events. Those up to notifications are stored in a log and have a seq; the others are state, sent live and
// never stored. An edit or a recall also changes the message that is its target, where it stands.
const (
	KindMessage      Kind = "MESSAGE"
	KindMember       Kind = "MEMBER"
	KindEdited       Kind = "EDITED"
	KindRecalled     Kind = "RECALLED"
	KindNotification Kind = "NOTIFICATION"
	KindRead         Kind = "READ"
	KindDelivered    Kind = "DELIVERED"
	KindTyping       Kind = "TYPING"
	KindUserStatus   Kind = "USER_STATUS"
)

// Change is what a member event did to the membership of its user.
type Change string

// The changes of membership.
const (
	Joined   Change = "joined"
	Left     Change = "left"
	Removed  Change = "removed"
	Muted    Change = "muted"
	Unmuted  Change = "unmuted"
	Banned   Change = "banned"
	Unbanned Change = "unbanned"
)

// Event is something that happened in a log, or a state event (Seq 0). It is not changed once made.
type Event struct {
	Log             LogRef
	LogID           int64 // a room's log has the room's id
	Seq             int64
	Kind            Kind
	MessageID       string          // unique: "<log id>-<seq>", or random for state events
	UserID          string          // sender, editor, member who changed, reader, typist, or whom a notification is for
	ClientMessageID string          // chosen by the sender; of a notification, the id its service chose
	Type            string          // of a message or notification; of a status event, the status
	Title, Content  string          // Title: notifications only; Content of a member event: until when, or empty
	Attachment      json.RawMessage // a compact JSON object, or nil; of a notification, its data
	Change          Change          // member events only
	Mark            int64           // of a read or delivered event: where it stands now
	Target          int64           // of an edit or recall: the seq of the message
	EditedAt        time.Time       // of a message that was edited, when it was last
	Recalled        bool            // of a message, or an edit of one: it was recalled, and its content is gone
	At              time.Time       // by the database's clock, in microseconds; clients see milliseconds
	Private         bool            // a state event that is for the user's own sessions alone
}

// MessageID is the id of the event at a place in a log.
func MessageID(logID, seq int64) string {
	var digits [40]byte
	b := strconv.AppendInt(digits[:0], logID, 10)
	b = append(b, '-')
	return string(strconv.AppendInt(b, seq, 10))
}
