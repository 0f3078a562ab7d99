package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// API is the REST interface of a gateway, as one user. It is safe for concurrent use.
type API struct {
	Base  func() string // http://host:port; asked for each call
	Token func() string
	HTTP  *http.Client // nil is http.DefaultClient
}

// StatusError is an answer that is no success.
type StatusError struct {
	Status int
	Code   string // of the contract, as FORBIDDEN
	Text   string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("status %d %s: %s", e.Status, e.Code, e.Text)
}

// CreateRoom makes a room of the user and these members.
func (a *API) CreateRoom(ctx context.Context, name string, members ...string) (int64, error) {
	var answer struct {
		ChatRoomID string `json:"chatRoomId"`
	}
	err := a.call(ctx, http.MethodPost, "/api/v1/chat-rooms", map[string]any{"name": name, "memberIds": members}, &answer)
	if err != nil {
		return 0, fmt.Errorf("create a room: %w", err)
	}
	room, err := strconv.ParseInt(answer.ChatRoomID, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("create a room: its id: %w", err)
	}
	return room, nil
}

// AddMembers makes users members.
func (a *API) AddMembers(ctx context.Context, room int64, users ...string) error {
	err := a.call(ctx, http.MethodPost, roomPath(room)+"/members", map[string]any{"memberIds": users}, nil)
	if err != nil {
		return fmt.Errorf("add members to room %d: %w", room, err)
	}
	return nil
}

// RemoveMember takes a user out of a room.
func (a *API) RemoveMember(ctx context.Context, room int64, user string) error {
	if err := a.call(ctx, http.MethodDelete, roomPath(room)+"/members/"+url.PathEscape(user), nil, nil); err != nil {
		return fmt.Errorf("remove %s from room %d: %w", user, room, err)
	}
	return nil
}

// Page is a stretch of a room's log.
type Page struct {
	Events  []json.RawMessage `json:"events"` // as STOMP clients get them
	HeadSeq int64             `json:"headSeq"`
}

// After reads what follows a seq, up to limit events.
func (a *API) After(ctx context.Context, room, seq int64, limit int) (Page, error) {
	var page Page
	path := fmt.Sprintf("%s/messages?afterSeq=%d&limit=%d", roomPath(room), seq, limit)
	if err := a.call(ctx, http.MethodGet, path, nil, &page); err != nil {
		return Page{}, fmt.Errorf("read room %d after seq %d: %w", room, seq, err)
	}
	return page, nil
}

// Head is the newest seq of a room.
func (a *API) Head(ctx context.Context, room int64) (int64, error) {
	page, err := a.After(ctx, room, 0, 1)
	return page.HeadSeq, err
}

func roomPath(room int64) string { return "/api/v1/chat-rooms/" + strconv.FormatInt(room, 10) }

// call sends body as JSON, unless it is nil, and decodes the answer.
func (a *API) call(ctx context.Context, method, path string, body, answer any) error {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode the request: %w", err)
		}
		sent = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, a.Base()+path, sent)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+a.Token())
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	client := a.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusMultipleChoices {
		return statusError(response)
	}
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

func statusError(response *http.Response) error {
	failed := &StatusError{Status: response.StatusCode}
	text, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err != nil {
		return failed
	}
	var answer struct{ Code, Message string }
	if json.Unmarshal(text, &answer) == nil {
		failed.Code, failed.Text = answer.Code, answer.Message
	} else {
		failed.Text = string(text)
	}
	return failed
}
