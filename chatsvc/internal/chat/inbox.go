package chat

import (
	"context"
	"encoding/json"
)

// MaxNotificationType is the largest length of a notification's type, in bytes.
const MaxNotificationType = 64

// Notification is what an internal service tells a user.
type Notification struct {
	UserID  string // the recipient
	ID      string // the same id for the same user is stored once; empty: every call stores one
	Type    string
	Title   string
	Content string
	Data    json.RawMessage // a JSON object, or nil
}

// Validate checks what a service wrote. Errors are *Error INVALID or TOO_LARGE.
func (n Notification) Validate() error {
	if err := ValidUserID(n.UserID); err != nil {
		return err
	}
	if err := validID("notificationId", n.ID); err != nil {
		return err
	}
	if err := validLine("type", n.Type, MaxNotificationType); err != nil {
		return err
	}
	if err := validText("title", n.Title, MaxContent); err != nil {
		return err
	}
	if err := validText("content", n.Content, MaxContent); err != nil {
		return err
	}
	if n.Title == "" && n.Content == "" {
		return refuse(Invalid, "a notification needs a title or content, and has neither")
	}
	return validObject("data", n.Data)
}

// Inbox is the use cases around users' inboxes. Safe for concurrent use.
type Inbox struct {
	appender Appender
	logs     LogStore
}

// NewInbox returns the use cases over the appender, which stores, and a store to read from.
func NewInbox(appender Appender, logs LogStore) *Inbox {
	return &Inbox{appender: appender, logs: logs}
}

// Notify appends a notification to its recipient's inbox and waits for the commit.
func (i *Inbox) Notify(ctx context.Context, n Notification) (Stored, error) {
	if err := n.Validate(); err != nil {
		return Stored{}, err
	}
	draft := Draft{
		Inbox: n.UserID, ClientMessageID: n.ID, Type: n.Type, Title: n.Title, Content: n.Content,
		Attachment: compact(n.Data),
	}
	return await(ctx, func(done func([]Stored, error)) { i.appender.Submit([]Draft{draft}, done) })
}

// List returns a page of the user's own inbox, in order of seq, and the head.
func (i *Inbox) List(ctx context.Context, user string, r Range) ([]Event, int64, error) {
	stretch, err := r.stretch()
	if err != nil {
		return nil, 0, err
	}
	return page(ctx, i.logs, LogRef{User: user}, stretch, nil)
}
