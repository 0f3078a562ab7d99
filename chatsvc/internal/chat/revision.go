package chat

import (
	"context"
	"time"
)

// Windows are how long after a message its sender may change it, by the database's clock; 0 is never.
type Windows struct{ Edit, Recall time.Duration }

// DefaultWindows are those of Messages that are told no others.
var DefaultWindows = Windows{Edit: 15 * time.Minute, Recall: 2 * time.Minute}

// of returns the window for a kind of draft; 0 for those that change nothing.
func (w Windows) of(kind Kind) time.Duration {
	switch kind {
	case KindEdited:
		return w.Edit
	case KindRecalled:
		return w.Recall
	}
	return 0
}

// Within returns the same use cases with other windows.
func (m *Messages) Within(windows Windows) *Messages {
	other := *m
	other.windows = windows
	return &other
}

// Edit gives a message another content and waits for the commit. clientID may be empty.
func (m *Messages) Edit(ctx context.Context, user string, room, seq int64, content, clientID string) (Stored, error) {
	return m.Send(ctx, Draft{
		Kind: KindEdited, Room: room, SenderID: user, Target: seq, Content: content, ClientMessageID: clientID,
	})
}

// Recall takes a message back and waits for the commit.
func (m *Messages) Recall(ctx context.Context, user string, room, seq int64) (Stored, error) {
	return m.Send(ctx, Draft{Kind: KindRecalled, Room: room, SenderID: user, Target: seq})
}

// validRevision checks an edit or a recall.
func (d *Draft) validRevision() error {
	switch {
	case d.Kind != KindEdited && d.Kind != KindRecalled:
		return refuse(Invalid, "an event of kind %s cannot be sent", d.Kind)
	case d.Target <= 0:
		return refuse(Invalid, "seq is missing: name the message to %s by its seq, such as 7", d.verb())
	case d.Type != "" || len(d.Attachment) > 0:
		return refuse(Invalid, "a message keeps its type and its attachment: leave them out")
	case d.Kind == KindEdited && d.Content == "":
		return refuse(Invalid, "an edit needs content, and it is empty: recall the message to take it back")
	case d.Kind == KindRecalled && d.Content != "":
		return refuse(Invalid, "a recall has no content: leave it out")
	}
	return nil
}

// verb is what the draft of an edit or a recall wants to do.
func (d *Draft) verb() string {
	if d.Kind == KindEdited {
		return "edit"
	}
	return "recall"
}

// Target is what a store has read, under the lock of the log's head, of an event that is to be edited or recalled.
type Target struct {
	Kind       Kind
	SenderID   string
	Type       string
	Content    string
	At         time.Time
	EditedBy   int64 // seq of the newest edit; 0 for none
	RecalledBy int64 // seq of the recall; 0 for none
}

// Revision is what a message, by its place in a log, has become. With RecalledBy set its content and attachment, and
// the content of its edits, are to be gone from the store; else it has this content.
type Revision struct {
	LogID, Seq int64
	Content    string
	EditedBy   int64
	EditedAt   time.Time // zero when it was not edited just now
	RecalledBy int64
}
