package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// CreateRoom implements chat.RoomStore.
func (s *Store) CreateRoom(ctx context.Context, ask chat.NewRoom) (chat.Room, bool, error) {
	var room chat.Room
	var created bool
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		var err error
		room, created, err = createRoom(ctx, tx, ask)
		return err
	})
	return room, created, err
}

func createRoom(ctx context.Context, tx *sql.Tx, ask chat.NewRoom) (chat.Room, bool, error) {
	if ask.Direct() {
		if found, err := findPair(ctx, tx, ask); err != nil || found > 0 {
			room, err := readRoom(ctx, tx, found, err)
			return room, false, err
		}
	}
	at := now().UnixMicro()
	made, err := tx.ExecContext(ctx, `INSERT INTO logs (member_count, changed_at) VALUES (?, ?)`,
		len(ask.MemberIDs), at)
	if err != nil {
		return chat.Room{}, false, err
	}
	id, err := made.LastInsertId()
	if err != nil {
		return chat.Room{}, false, err
	}
	creator := ask.MemberIDs[0]
	if _, err := tx.ExecContext(ctx, `INSERT INTO rooms (room_id, name, listing_id, direct, created_by, created_at)
		VALUES (?, ?, ?, ?, ?, ?)`, id, ask.Name, ask.ListingID, ask.Direct(), creator, at); err != nil {
		return chat.Room{}, false, err
	}
	if ask.Direct() {
		first, second := pair(ask)
		if _, err := tx.ExecContext(ctx, `INSERT INTO direct_rooms (first_user, second_user, listing_id, room_id)
			VALUES (?, ?, ?, ?)`, first, second, ask.ListingID, id); err != nil {
			return chat.Room{}, false, err
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO members (room_id, user_id, role, joined_at, read_seq)
		SELECT ?, value, CASE WHEN value = ? THEN ? ELSE ? END, ?, 0 FROM json_each(?)`,
		id, creator, chat.RoleOwner, chat.RoleMember, at, list(ask.MemberIDs))
	room, err := readRoom(ctx, tx, id, err)
	return room, true, err
}

func pair(ask chat.NewRoom) (first, second string) {
	return min(ask.MemberIDs[0], ask.MemberIDs[1]), max(ask.MemberIDs[0], ask.MemberIDs[1])
}

// findPair returns the direct room of the pair and listing, or 0. There is one writer, so nobody else makes it now.
func findPair(ctx context.Context, tx *sql.Tx, ask chat.NewRoom) (int64, error) {
	first, second := pair(ask)
	var found int64
	err := tx.QueryRowContext(ctx, `SELECT room_id FROM direct_rooms
		WHERE first_user = ? AND second_user = ? AND listing_id = ?`, first, second, ask.ListingID).Scan(&found)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return found, err
}

func readRoom(ctx context.Context, tx *sql.Tx, id int64, err error) (chat.Room, error) {
	if err != nil {
		return chat.Room{}, err
	}
	room := chat.Room{ID: id}
	err = tx.QueryRowContext(ctx, `SELECT r.name, r.listing_id, r.direct, r.created_by, r.created_at, l.member_count
		FROM rooms r JOIN logs l ON l.log_id = r.room_id WHERE r.room_id = ?`, id).
		Scan(&room.Name, &room.ListingID, &room.Direct, &room.CreatedBy, scanTime{&room.CreatedAt}, &room.MemberCount)
	if err != nil || room.MemberCount > chat.MaxLive {
		return room, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT user_id FROM members WHERE room_id = ? ORDER BY joined_at, user_id`, id)
	room.MemberIDs, err = collect(rows, err, scanString)
	return room, err
}

// roomsOf finds the page first and looks at events only for the rooms on it.
const roomsOf = `
	SELECT p.room_id, p.name, p.listing_id, p.direct, p.created_by, p.created_at, p.member_count,
		p.head_seq, p.read_seq, p.changed_at,
		(SELECT count(*) FROM (SELECT 1 FROM events u WHERE u.log_id = p.room_id AND u.seq > p.read_seq
			AND u.kind = 'MESSAGE' AND u.recalled_by IS NULL AND u.sender_id <> ?1 LIMIT ?5)),
		CASE WHEN p.member_count <= ?6 THEN
			(SELECT json_group_array(user_id) FROM (SELECT o.user_id FROM members o WHERE o.room_id = p.room_id
				ORDER BY o.joined_at, o.user_id)) END,
		e.log_id IS NOT NULL, coalesce(e.kind, ''), coalesce(e.sender_id, ''), coalesce(e.client_message_id, ''),
		coalesce(e.type, ''), coalesce(e.content, ''), e.attachment, coalesce(e.at, p.changed_at),
		coalesce(e.target_seq, 0)
	FROM (
		SELECT r.*, l.member_count, l.head_seq, l.changed_at, m.read_seq
		FROM members m JOIN logs l ON l.log_id = m.room_id JOIN rooms r ON r.room_id = m.room_id
		WHERE m.user_id = ?1 AND (?2 IS NULL OR (l.changed_at, l.log_id) < (?2, ?3))
		ORDER BY l.changed_at DESC, l.log_id DESC LIMIT ?4
	) p LEFT JOIN events e ON e.log_id = p.room_id AND e.seq = p.head_seq
	ORDER BY p.changed_at DESC, p.room_id DESC`

// RoomsOf implements chat.RoomStore.
func (s *Store) RoomsOf(ctx context.Context, user string, limit int, after *chat.RoomPosition,
) ([]chat.RoomSummary, error) {
	var changed *int64
	var id int64
	if after != nil {
		micros := after.ChangedAt.UnixMicro()
		changed, id = &micros, after.ID
	}
	rows, err := s.reader.QueryContext(ctx, roomsOf, user, changed, id, limit, chat.MaxUnread, chat.MaxLive)
	summaries, err := collect(rows, err, scanSummary)
	return summaries, classify(err)
}

func scanSummary(scan func(...any) error) (chat.RoomSummary, error) {
	var sum chat.RoomSummary
	var e chat.Event
	var hasLast bool
	var members, attachment []byte
	r := &sum.Room
	err := scan(&r.ID, &r.Name, &r.ListingID, &r.Direct, &r.CreatedBy, scanTime{&r.CreatedAt}, &r.MemberCount,
		&sum.Head, &sum.LastRead, scanTime{&sum.ChangedAt}, &sum.Unread, &members,
		&hasLast, &e.Kind, &e.UserID, &e.ClientMessageID, &e.Type, &e.Content, &attachment, scanTime{&e.At},
		&e.Target)
	if err != nil {
		return sum, err
	}
	if members != nil {
		if err := json.Unmarshal(members, &r.MemberIDs); err != nil {
			return sum, err
		}
	}
	if hasLast {
		e.LogID, e.Seq, e.Attachment = r.ID, sum.Head, attachment
		complete(&e, chat.LogRef{Room: r.ID})
		sum.Last = &e
	}
	return sum, nil
}
