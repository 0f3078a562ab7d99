package chat

import (
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"
)

// timeLayout is how clients see times, which are in UTC.
const timeLayout = "2006-01-02T15:04:05.000Z"

// scratch holds buffers in which events are encoded before they are cut to size.
var scratch = sync.Pool{New: func() any { return new(make([]byte, 0, 1024)) }}

// JSON returns the event as clients get it: the contract's fields in the contract's order, absent ones left out,
// times in RFC 3339, UTC, with milliseconds. It allocates once.
func (e *Event) JSON() []byte {
	buffer := scratch.Get().(*[]byte)
	*buffer = e.AppendJSON((*buffer)[:0])
	out := slices.Clone(*buffer)
	scratch.Put(buffer)
	return out
}

// AppendJSON appends what JSON returns to dst.
func (e *Event) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"event":"`...)
	dst = append(dst, e.Kind...)
	dst = append(dst, '"')
	if e.Log.Room > 0 {
		dst = append(dst, `,"chatRoomId":"`...)
		dst = strconv.AppendInt(dst, e.Log.Room, 10)
		dst = append(dst, '"')
	}
	if e.Seq > 0 {
		dst = append(dst, `,"seq":`...)
		dst = strconv.AppendInt(dst, e.Seq, 10)
	}
	switch e.Kind {
	case KindMessage:
		return e.appendMessage(dst)
	case KindEdited, KindRecalled:
		return e.appendRevision(dst)
	case KindNotification:
		return e.appendNotification(dst)
	}
	dst = appendField(dst, "userId", e.UserID)
	switch e.Kind {
	case KindMember:
		dst = appendField(dst, "change", string(e.Change))
		if e.Content != "" {
			dst = appendField(dst, "until", e.Content)
		}
	case KindUserStatus:
		dst = appendField(dst, "status", e.Type)
	case KindRead:
		dst = append(dst, `,"lastReadSeq":`...)
		dst = strconv.AppendInt(dst, e.Mark, 10)
	case KindDelivered:
		dst = append(dst, `,"deliveredSeq":`...)
		dst = strconv.AppendInt(dst, e.Mark, 10)
	}
	return appendEnd(dst, "at", e.At)
}

func (e *Event) appendMessage(dst []byte) []byte {
	dst = appendField(dst, "messageId", e.MessageID)
	if e.ClientMessageID != "" {
		dst = appendField(dst, "clientMessageId", e.ClientMessageID)
	}
	dst = appendField(dst, "senderId", e.UserID)
	dst = appendField(dst, "type", e.Type)
	if e.Recalled {
		dst = append(dst, `,"recalled":true`...)
		return appendEnd(dst, "sentAt", e.At)
	}
	dst = appendField(dst, "content", e.Content)
	if len(e.Attachment) > 0 {
		dst = append(dst, `,"attachment":`...)
		dst = append(dst, e.Attachment...)
	}
	if !e.EditedAt.IsZero() {
		dst = appendTime(dst, "editedAt", e.EditedAt)
	}
	return appendEnd(dst, "sentAt", e.At)
}

// appendRevision appends an edit or a recall. An edit of a message that was recalled later has no content any more.
func (e *Event) appendRevision(dst []byte) []byte {
	dst = append(dst, `,"targetSeq":`...)
	dst = strconv.AppendInt(dst, e.Target, 10)
	if e.ClientMessageID != "" {
		dst = appendField(dst, "clientMessageId", e.ClientMessageID)
	}
	dst = appendField(dst, "senderId", e.UserID)
	switch {
	case e.Recalled:
		dst = append(dst, `,"recalled":true`...)
	case e.Kind == KindEdited:
		dst = appendField(dst, "content", e.Content)
	}
	return appendEnd(dst, "at", e.At)
}

func (e *Event) appendNotification(dst []byte) []byte {
	dst = appendField(dst, "notificationId", e.NotificationID())
	dst = appendField(dst, "title", e.Title)
	dst = appendField(dst, "content", e.Content)
	dst = appendField(dst, "type", e.Type)
	if len(e.Attachment) > 0 {
		dst = append(dst, `,"data":`...)
		dst = append(dst, e.Attachment...)
	}
	return appendEnd(dst, "at", e.At)
}

// NotificationID is the id under which clients know a notification: what its service chose, else the message id.
func (e *Event) NotificationID() string {
	if e.ClientMessageID != "" {
		return e.ClientMessageID
	}
	return e.MessageID
}

// appendField appends a member of an object that already has one. The name needs no escaping.
func appendField(dst []byte, name, value string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	dst = append(dst, '"', ':')
	return appendString(dst, value)
}

func appendTime(dst []byte, name string, at time.Time) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	dst = append(dst, '"', ':', '"')
	dst = at.UTC().AppendFormat(dst, timeLayout)
	return append(dst, '"')
}

func appendEnd(dst []byte, name string, at time.Time) []byte {
	return append(appendTime(dst, name, at), '}')
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. U+2028 and U+2029 are escaped so that the JSON is also JavaScript of any
// age, invalid UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\ufffd`...)
			start = i + size
		case r == '\u2028' || r == '\u2029':
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\u202`...)
			dst = append(dst, hexDigits[r&0xF])
			start = i + size
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// appendEscape appends the escape of an ASCII character that JSON does not allow as it is.
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xF])
}
