package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// memberColumns are those of a Member. What is read is delivered.
const memberColumns = `user_id, role, joined_at, read_seq, max(read_seq, delivered_seq), muted_until, hidden`

// intoMember are the places of memberColumns.
func intoMember(m *chat.Member) []any {
	return []any{
		&m.UserID, &m.Role, scanTime{&m.JoinedAt}, &m.LastRead, &m.LastDelivered, scanTime{&m.MutedUntil}, &m.Hidden,
	}
}

func scanMember(scan func(...any) error) (chat.Member, error) {
	var m chat.Member
	err := scan(intoMember(&m)...)
	return m, err
}

// Member implements chat.RoomStore, chat.LogStore and chat.MarkStore.
func (s *Store) Member(ctx context.Context, room int64, user string) (chat.Member, error) {
	row := s.reader.QueryRowContext(ctx, `SELECT `+memberColumns+` FROM members WHERE room_id = ? AND user_id = ?`,
		room, user)
	member, err := scanMember(row.Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return chat.Member{}, nil
	}
	return member, classify(err)
}

// Entrance implements chat.LogStore.
func (s *Store) Entrance(ctx context.Context, room int64, user string) (chat.Member, []string, error) {
	var m chat.Member
	var list []byte
	into := append(intoMember(&m), &list)
	err := s.reader.QueryRowContext(ctx, `SELECT `+memberColumns+`, CASE WHEN l.member_count <= ?3 THEN
			(SELECT json_group_array(user_id) FROM (SELECT o.user_id FROM members o WHERE o.room_id = ?1
				ORDER BY o.joined_at, o.user_id)) END
		FROM members m JOIN logs l ON l.log_id = m.room_id WHERE m.room_id = ?1 AND m.user_id = ?2`,
		room, user, chat.MaxLive).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return chat.Member{}, nil, nil
	}
	var members []string
	if err == nil && list != nil {
		err = json.Unmarshal(list, &members)
	}
	return m, members, classify(err)
}

// LiveRooms implements chat.CircleStore.
func (s *Store) LiveRooms(ctx context.Context, users []string, limit int) (map[string][]int64, error) {
	rooms := make(map[string][]int64, len(users))
	for _, user := range users {
		rows, err := s.reader.QueryContext(ctx, `SELECT m.room_id FROM members m JOIN logs l ON l.log_id = m.room_id
			WHERE m.user_id = ? AND l.member_count <= ? ORDER BY l.changed_at DESC, l.log_id DESC LIMIT ?`,
			user, chat.MaxLive, limit)
		of, err := collect(rows, err, func(scan func(...any) error) (id int64, err error) {
			err = scan(&id)
			return id, err
		})
		if err != nil {
			return nil, classify(err)
		}
		if len(of) > 0 {
			rooms[user] = of
		}
	}
	return rooms, nil
}

// Acquainted implements chat.CircleStore.
func (s *Store) Acquainted(ctx context.Context, user string, users []string) ([]string, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT u.value FROM json_each(?2) u WHERE EXISTS (
		SELECT 1 FROM members o JOIN members m ON m.room_id = o.room_id WHERE o.user_id = u.value AND m.user_id = ?1)`,
		user, list(users))
	known, err := collect(rows, err, scanString)
	return known, classify(err)
}

// Members implements chat.RoomStore.
func (s *Store) Members(ctx context.Context, room int64) ([]chat.Member, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT `+memberColumns+` FROM members WHERE room_id = ?
		ORDER BY joined_at, user_id`, room)
	members, err := collect(rows, err, scanMember)
	return members, classify(err)
}
