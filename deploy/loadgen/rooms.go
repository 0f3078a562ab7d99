package loadgen

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fliliy/chat/deploy/loadgen/scenario"
)

// membersCall is how many members one call may name.
const membersCall = 1000

// makers is how many rooms are made at a time.
const makers = 8

// makeRooms makes the scenario's rooms and returns their numbers.
func makeRooms(ctx context.Context, o *Options, users *users) ([]int64, error) {
	layout := scenario.NewLayout(&o.Scenario)
	rooms := make([]int64, len(layout.Members))
	if o.Target.Rooms == scenario.RoomsNumbered {
		for i := range rooms {
			rooms[i] = int64(i + 1)
		}
		return rooms, nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(makers)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: makers}, Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	for i, members := range layout.Members {
		m := &maker{client: client, server: o.Servers[i%len(o.Servers)], users: users}
		group.Go(func() (err error) {
			rooms[i], err = m.room(ctx, fmt.Sprint(o.run, " room ", i), members)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("make rooms: %w", err)
	}
	return rooms, nil
}

// maker makes rooms by REST, as the user who is a room's first member.
type maker struct {
	client *http.Client
	server netip.AddrPort
	users  *users
}

func (m *maker) room(ctx context.Context, name string, members []int) (int64, error) {
	token, err := m.users.token(members[0])
	if err != nil {
		return 0, err
	}
	var made struct {
		ChatRoomID string `json:"chatRoomId"`
	}
	path := "/api/v1/chat-rooms"
	for chunk := range slices.Chunk(m.users.names(members), membersCall) {
		ask := map[string]any{"memberIds": chunk}
		if made.ChatRoomID == "" {
			ask["name"] = name
			if err := m.post(ctx, path, token, ask, &made); err != nil {
				return 0, err
			}
			path += "/" + made.ChatRoomID + "/members"
			continue
		}
		if err := m.post(ctx, path, token, ask, nil); err != nil {
			return 0, err
		}
	}
	room, err := strconv.ParseInt(made.ChatRoomID, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the room's number: %w", err)
	}
	return room, nil
}

func (m *maker) post(ctx context.Context, path, token string, ask, answer any) error {
	text, err := json.Marshal(ask)
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	url := "http://" + m.server.String() + path
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := m.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err = io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", url, err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s answers %s: %.200s", url, response.Status, text)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("read the answer of %s: %w", url, err)
	}
	return nil
}
