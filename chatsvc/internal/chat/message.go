package chat

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Types of messages. System messages come from the service itself only.
const (
	TypeText   = "TEXT"
	TypeImage  = "IMAGE"
	TypeVoice  = "VOICE"
	TypeSystem = "SYSTEM"
)

// Limits of a message, in bytes, and of a unit, in drafts.
const (
	MaxContent         = 16 << 10
	MaxAttachment      = 8 << 10
	MaxClientMessageID = 128
	MaxUnit            = 256
)

// Draft is an event that wants into a log: a message of a room, an edit or a recall of one, or, when Inbox is set, a
// notification.
type Draft struct {
	Kind            Kind // KindEdited, KindRecalled; empty is a message, or a notification
	Room            int64
	SenderID        string // empty for notifications: they come from the service
	ClientMessageID string // unique per log and sender, for ever; empty: every call stores a message
	Type            string // of a message: empty is TEXT
	Content         string
	Attachment      json.RawMessage
	Inbox           string // the recipient of a notification; then Room is 0
	Title           string // notifications only
	Target          int64  // of an edit or recall: the seq of the message
	// Within is how old the target may be, by the database's clock; Messages.Submit sets it.
	Within time.Duration
	// HoldOff, where not 0, is how long the room has to wait for its next event: this one is refused, unless it is a
	// repeat or its sender may not send it anyway.
	HoldOff time.Duration
}

// Log names the log the draft wants into.
func (d *Draft) Log() LogRef {
	return LogRef{Room: d.Room, User: d.Inbox}
}

// Stored is where a draft, or the first one with its client message id (Duplicate), stands in its log.
type Stored struct {
	MessageID string
	Seq       int64
	Duplicate bool
}

// Validate checks a message that a client wants to send, or an edit or recall. Errors are *Error: INVALID, TOO_LARGE,
// FORBIDDEN for an id that cannot be a room's.
func (d Draft) Validate() error {
	if d.Room <= 0 {
		return noSuchRoom(d.Room)
	}
	if d.Inbox != "" {
		return refuse(Invalid, "a message goes to a room, and not to an inbox")
	}
	if err := ValidUserID(d.SenderID); err != nil {
		return err
	}
	if err := validText("content", d.Content, MaxContent); err != nil {
		return err
	}
	if err := validID("clientMessageId", d.ClientMessageID); err != nil {
		return err
	}
	if err := validObject("attachment", d.Attachment); err != nil {
		return err
	}
	if d.Kind != "" {
		return d.validRevision()
	}
	return d.validMessage()
}

func (d *Draft) validMessage() error {
	switch d.Type {
	case TypeText, "":
		if d.Content == "" {
			return refuse(Invalid, "a TEXT message needs content, and it is empty")
		}
	case TypeImage, TypeVoice:
		if d.Content == "" && len(d.Attachment) == 0 {
			return refuse(Invalid, "a message of type %s needs content or an attachment, and has neither", d.Type)
		}
	default:
		return refuse(Invalid, "message type %q is not one that clients may send: use TEXT, IMAGE or VOICE",
			shortened(d.Type))
	}
	return nil
}

// normalize makes a valid draft what the log stores: the default type filled in, the attachment without white space.
func (d *Draft) normalize() {
	if d.Kind == "" && d.Type == "" {
		d.Type = TypeText
	}
	d.Attachment = compact(d.Attachment)
}

// compact returns a JSON object without white space between its tokens; nil for none.
func compact(object json.RawMessage) json.RawMessage {
	if len(object) == 0 {
		return nil
	}
	var b bytes.Buffer
	b.Grow(len(object))
	if err := json.Compact(&b, object); err != nil {
		return object // cannot be: validObject has seen it
	}
	return b.Bytes()
}

// validText checks a text that PostgreSQL has to store and clients have to read.
func validText(field, s string, limit int) error {
	switch {
	case len(s) > limit:
		return refuse(TooLarge, "%s has %d bytes, at most %d are allowed", field, len(s), limit)
	case !utf8.ValidString(s):
		return refuse(Invalid, "%s is not valid UTF-8", field)
	case strings.IndexByte(s, 0) >= 0:
		return refuse(Invalid, "%s has a NUL character (U+0000), which cannot be stored: remove it", field)
	}
	return nil
}

// validLine checks a short text without control characters, up to limit bytes.
func validLine(field, s string, limit int) error {
	switch {
	case len(s) > limit:
		return refuse(Invalid, "%s has %d bytes, at most %d are allowed", field, len(s), limit)
	case !utf8.ValidString(s):
		return refuse(Invalid, "%s is not valid UTF-8", field)
	case strings.ContainsFunc(s, unicode.IsControl):
		return refuse(Invalid, "%s has a control character: remove it", field)
	}
	return nil
}

func validID(field, id string) error { return validLine(field, id, MaxClientMessageID) }

// validObject checks a JSON object, or none.
func validObject(field string, object json.RawMessage) error {
	if len(object) == 0 {
		return nil
	}
	if len(object) > MaxAttachment {
		return refuse(TooLarge, "%s has %d bytes of JSON, at most %d are allowed", field, len(object), MaxAttachment)
	}
	if first := bytes.TrimLeft(object, " \t\r\n"); len(first) == 0 || first[0] != '{' || !json.Valid(object) {
		return refuse(Invalid, "%s is not a JSON object", field)
	}
	if !utf8.Valid(object) {
		return refuse(Invalid, "%s is not valid UTF-8", field)
	}
	if escapesNUL(object) {
		return refuse(Invalid, `%s has a NUL character (\u0000), which cannot be stored: remove it`, field)
	}
	return nil
}

// escapesNUL says whether valid JSON has the escape of U+0000 in a string; an escaped backslash before u0000 is none.
func escapesNUL(valid []byte) bool {
	for i := bytes.IndexByte(valid, '\\'); i >= 0 && i < len(valid); {
		if bytes.HasPrefix(valid[i:], []byte(`\u0000`)) {
			return true
		}
		next := bytes.IndexByte(valid[i+2:], '\\')
		if next < 0 {
			return false
		}
		i += 2 + next
	}
	return false
}

// shortened keeps a client's words short in an error message.
func shortened(s string) string {
	const limit = 32
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
