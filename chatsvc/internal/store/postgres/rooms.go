package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// errRoomVanished says that the direct room which another transaction was about to make was rolled back.
var errRoomVanished = errors.New("the direct room that was in the way is gone")

// CreateRoom implements chat.RoomStore.
func (s *Store) CreateRoom(ctx context.Context, ask chat.NewRoom) (chat.Room, bool, error) {
	var room chat.Room
	var created bool
	for {
		err := s.inTx(ctx, func(tx pgx.Tx) error {
			var err error
			room, created, err = createRoom(ctx, tx, ask)
			return err
		})
		if errors.Is(err, errRoomVanished) {
			continue
		}
		if created {
			err = settled(ctx, err, func(ctx context.Context) (bool, error) { return s.roomIsThere(ctx, room) })
		}
		return room, created, err
	}
}

func createRoom(ctx context.Context, tx pgx.Tx, ask chat.NewRoom) (chat.Room, bool, error) {
	var id int64
	var at time.Time
	if err := tx.QueryRow(ctx, `SELECT nextval('log_ids'), clock_timestamp()`).Scan(&id, &at); err != nil {
		return chat.Room{}, false, err
	}
	if ask.Direct() {
		if found, err := claimPair(ctx, tx, ask, id); err != nil || found > 0 {
			room, err := readRoom(ctx, tx, found, err)
			return room, false, err
		}
	}
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO logs (log_id, member_count, changed_at) VALUES ($1, $2, $3)`, id, len(ask.MemberIDs), at)
	batch.Queue(`INSERT INTO rooms (room_id, name, listing_id, direct, created_by, created_at)
		VALUES ($1, $2, $3, $4, $5, $6)`, id, ask.Name, ask.ListingID, ask.Direct(), ask.MemberIDs[0], at)
	batch.Queue(`INSERT INTO members (room_id, user_id, role, joined_at, read_seq)
		SELECT $1, u, CASE WHEN u = $3 THEN $4::smallint ELSE $5::smallint END, $6, 0 FROM unnest($2::text[]) u`,
		id, ask.MemberIDs, ask.MemberIDs[0], int16(chat.RoleOwner), int16(chat.RoleMember), at)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return chat.Room{}, false, err
	}
	room, err := readRoom(ctx, tx, id, nil)
	return room, true, err
}

// claimPair takes the pair and listing for a direct room, and returns 0; or the room that has them. It waits for a
// transaction that is about to take them.
func claimPair(ctx context.Context, tx pgx.Tx, ask chat.NewRoom, id int64) (int64, error) {
	first, second := min(ask.MemberIDs[0], ask.MemberIDs[1]), max(ask.MemberIDs[0], ask.MemberIDs[1])
	tag, err := tx.Exec(ctx, `INSERT INTO direct_rooms (first_user, second_user, listing_id, room_id)
		VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, first, second, ask.ListingID, id)
	if err != nil || tag.RowsAffected() > 0 {
		return 0, err
	}
	var found int64
	err = tx.QueryRow(ctx, `SELECT room_id FROM direct_rooms
		WHERE first_user = $1 AND second_user = $2 AND listing_id = $3`, first, second, ask.ListingID).Scan(&found)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, errRoomVanished
	}
	return found, err
}

func readRoom(ctx context.Context, tx pgx.Tx, id int64, err error) (chat.Room, error) {
	if err != nil {
		return chat.Room{}, err
	}
	room := chat.Room{ID: id}
	err = tx.QueryRow(ctx, `SELECT r.name, r.listing_id, r.direct, r.created_by, r.created_at, l.member_count
		FROM rooms r JOIN logs l ON l.log_id = r.room_id WHERE r.room_id = $1`, id).
		Scan(&room.Name, &room.ListingID, &room.Direct, &room.CreatedBy, &room.CreatedAt, &room.MemberCount)
	if err != nil {
		return chat.Room{}, err
	}
	if room.MemberCount > chat.MaxLive {
		return room, nil
	}
	rows, err := tx.Query(ctx, `SELECT user_id FROM members WHERE room_id = $1 ORDER BY joined_at, user_id`, id)
	if err != nil {
		return chat.Room{}, err
	}
	room.MemberIDs, err = pgx.CollectRows(rows, pgx.RowTo[string])
	return room, err
}

// roomsOf finds the page first and looks at events only for the rooms on it.
const roomsOf = `
	SELECT p.room_id, p.name, p.listing_id, p.direct, p.created_by, p.created_at, p.member_count,
		p.head_seq, p.read_seq, p.changed_at,
		(SELECT count(*) FROM (SELECT FROM events u WHERE u.log_id = p.room_id AND u.seq > p.read_seq
			AND u.kind = 'MESSAGE' AND u.recalled_by IS NULL AND u.sender_id <> $1 LIMIT $5) unread),
		CASE WHEN p.member_count <= $6 THEN
			(SELECT array_agg(o.user_id ORDER BY o.joined_at, o.user_id) FROM members o WHERE o.room_id = p.room_id) END,
		e.log_id IS NOT NULL, coalesce(e.kind, ''), coalesce(e.sender_id, ''), coalesce(e.client_message_id, ''),
		coalesce(e.type, ''), coalesce(e.content, ''), e.attachment, coalesce(e.at, p.changed_at),
		coalesce(e.target_seq, 0)
	FROM (
		SELECT r.*, l.member_count, l.head_seq, l.changed_at, m.read_seq
		FROM members m JOIN logs l ON l.log_id = m.room_id JOIN rooms r ON r.room_id = m.room_id
		WHERE m.user_id = $1 AND ($2::timestamptz IS NULL OR (l.changed_at, l.log_id) < ($2, $3))
		ORDER BY l.changed_at DESC, l.log_id DESC LIMIT $4
	) p LEFT JOIN events e ON e.log_id = p.room_id AND e.seq = p.head_seq
	ORDER BY p.changed_at DESC, p.room_id DESC`

// RoomsOf implements chat.RoomStore.
func (s *Store) RoomsOf(ctx context.Context, user string, limit int, after *chat.RoomPosition,
) ([]chat.RoomSummary, error) {
	var changed *time.Time
	var id int64
	if after != nil {
		changed, id = &after.ChangedAt, after.ID
	}
	rows, err := s.pool.Query(ctx, roomsOf, user, changed, id, limit, chat.MaxUnread, chat.MaxLive)
	if err != nil {
		return nil, classify(err)
	}
	summaries, err := pgx.CollectRows(rows, scanSummary)
	return summaries, classify(err)
}

func scanSummary(row pgx.CollectableRow) (chat.RoomSummary, error) {
	var sum chat.RoomSummary
	var e chat.Event
	var hasLast bool
	r := &sum.Room
	err := row.Scan(&r.ID, &r.Name, &r.ListingID, &r.Direct, &r.CreatedBy, &r.CreatedAt, &r.MemberCount,
		&sum.Head, &sum.LastRead, &sum.ChangedAt, &sum.Unread, &r.MemberIDs,
		&hasLast, &e.Kind, &e.UserID, &e.ClientMessageID, &e.Type, &e.Content, &e.Attachment, &e.At,
		&e.Target)
	if err != nil {
		return sum, err
	}
	if hasLast {
		e.LogID, e.Seq = r.ID, sum.Head
		complete(&e, chat.LogRef{Room: r.ID})
		sum.Last = &e
	}
	return sum, nil
}
