package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// memberColumns are those of a Member. What is read is delivered.
const memberColumns = `user_id, role, joined_at, read_seq, greatest(read_seq, delivered_seq), muted_until, hidden`

// intoMember are the places of memberColumns.
func intoMember(m *chat.Member) []any {
	return []any{&m.UserID, &m.Role, &m.JoinedAt, &m.LastRead, &m.LastDelivered, scanTime{&m.MutedUntil}, &m.Hidden}
}

func scanMember(row pgx.CollectableRow) (chat.Member, error) {
	var m chat.Member
	err := row.Scan(intoMember(&m)...)
	return m, err
}

// scanTime reads a time; NULL is the zero time.
type scanTime struct{ at *time.Time }

// ScanTimestamptz implements pgtype.TimestamptzScanner.
func (t scanTime) ScanTimestamptz(value pgtype.Timestamptz) error {
	*t.at = value.Time
	return nil
}

// Member implements chat.RoomStore, chat.LogStore and chat.MarkStore.
func (s *Store) Member(ctx context.Context, room int64, user string) (chat.Member, error) {
	return s.members.get(ctx, membership{room, user})
}

// Entrance implements chat.LogStore.
func (s *Store) Entrance(ctx context.Context, room int64, user string) (chat.Member, []string, error) {
	found, err := s.entrances.get(ctx, membership{room, user})
	return found.member, found.members, err
}

// LiveRooms implements chat.CircleStore.
func (s *Store) LiveRooms(ctx context.Context, users []string, limit int) (map[string][]int64, error) {
	rows, err := s.pool.Query(ctx, `SELECT u, r.room_id FROM unnest($1::text[]) u CROSS JOIN LATERAL (
			SELECT m.room_id FROM members m JOIN logs l ON l.log_id = m.room_id
			WHERE m.user_id = u AND l.member_count <= $2 ORDER BY l.changed_at DESC, l.log_id DESC LIMIT $3) r`,
		users, chat.MaxLive, limit)
	if err != nil {
		return nil, classify(err)
	}
	rooms := make(map[string][]int64, len(users))
	var user string
	var room int64
	_, err = pgx.ForEachRow(rows, []any{&user, &room}, func() error {
		rooms[user] = append(rooms[user], room)
		return nil
	})
	return rooms, classify(err)
}

// Acquainted implements chat.CircleStore.
func (s *Store) Acquainted(ctx context.Context, user string, users []string) ([]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT u FROM unnest($2::text[]) u WHERE EXISTS (
		SELECT FROM members o JOIN members m ON m.room_id = o.room_id WHERE o.user_id = u AND m.user_id = $1)`,
		user, users)
	if err != nil {
		return nil, classify(err)
	}
	known, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return known, classify(err)
}

// Members implements chat.RoomStore.
func (s *Store) Members(ctx context.Context, room int64) ([]chat.Member, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+memberColumns+` FROM members WHERE room_id = $1
		ORDER BY joined_at, user_id`, room)
	if err != nil {
		return nil, classify(err)
	}
	members, err := pgx.CollectRows(rows, scanMember)
	return members, classify(err)
}
