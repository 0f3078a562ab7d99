package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// memberColumns are those of a Member. What is read is delivered.
const memberColumns = `user_id, role, joined_at, read_seq, max(read_seq, delivered_seq)`

func scanMember(scan func(...any) error) (chat.Member, error) {
	var m chat.Member
	err := scan(&m.UserID, &m.Role, scanTime{&m.JoinedAt}, &m.LastRead, &m.LastDelivered)
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
	err := s.reader.QueryRowContext(ctx, `SELECT `+memberColumns+`, CASE WHEN l.member_count <= ?3 THEN
			(SELECT json_group_array(user_id) FROM (SELECT o.user_id FROM members o WHERE o.room_id = ?1
				ORDER BY o.joined_at, o.user_id)) END
		FROM members m JOIN logs l ON l.log_id = m.room_id WHERE m.room_id = ?1 AND m.user_id = ?2`,
		room, user, chat.MaxLive).Scan(&m.UserID, &m.Role, scanTime{&m.JoinedAt}, &m.LastRead, &m.LastDelivered, &list)
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

// ChangeMembers implements chat.RoomStore.
func (s *Store) ChangeMembers(ctx context.Context, ask chat.MemberAsk, decide chat.MemberDecision,
) (chat.MemberOutcome, error) {
	var outcome chat.MemberOutcome
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		head, membership, err := readMembership(ctx, tx, ask)
		if err != nil {
			return err
		}
		changes, err := decide(membership)
		if err != nil {
			return err
		}
		at := now()
		for i := range changes {
			outcome.Events = append(outcome.Events, changes[i].Event(ask.Room, head+int64(i)+1, at))
		}
		if len(changes) > 0 {
			if err := applyChanges(ctx, tx, changes, outcome.Events); err != nil {
				return err
			}
		}
		return readOutcome(ctx, tx, ask, &outcome)
	})
	if err != nil {
		return chat.MemberOutcome{}, err
	}
	return outcome, nil
}

func readMembership(ctx context.Context, tx *sql.Tx, ask chat.MemberAsk) (int64, chat.Membership, error) {
	m := chat.Membership{Users: make(map[string]chat.Member, len(ask.Users))}
	var head int64
	err := tx.QueryRowContext(ctx, `SELECT l.head_seq, r.room_id, r.name, r.listing_id, r.direct, r.created_by,
			r.created_at, l.member_count,
			coalesce((SELECT o.user_id FROM members o WHERE o.room_id = ?1 AND o.user_id <> ?2
				ORDER BY o.joined_at, o.user_id LIMIT 1), '')
		FROM rooms r JOIN logs l ON l.log_id = r.room_id WHERE r.room_id = ?1`, ask.Room, ask.By).
		Scan(&head, &m.Room.ID, &m.Room.Name, &m.Room.ListingID, &m.Room.Direct, &m.Room.CreatedBy,
			scanTime{&m.Room.CreatedAt}, &m.Room.MemberCount, &m.Successor)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, m, nil
	}
	if err != nil {
		return 0, m, fmt.Errorf("read the room: %w", err)
	}
	members, err := namedMembers(ctx, tx, ask.Room, append([]string{ask.By}, ask.Users...))
	if err != nil {
		return 0, m, err
	}
	m.By = members[ask.By]
	for _, user := range ask.Users {
		if member, ok := members[user]; ok {
			m.Users[user] = member
		}
	}
	return head, m, nil
}

// namedMembers returns those of the users who are in the room.
func namedMembers(ctx context.Context, tx *sql.Tx, room int64, users []string) (map[string]chat.Member, error) {
	rows, err := tx.QueryContext(ctx, `SELECT `+memberColumns+` FROM members
		WHERE room_id = ? AND user_id IN (SELECT value FROM json_each(?))`, room, list(users))
	members, err := collect(rows, err, scanMember)
	if err != nil {
		return nil, fmt.Errorf("read members: %w", err)
	}
	named := make(map[string]chat.Member, len(members))
	for _, member := range members {
		named[member.UserID] = member
	}
	return named, nil
}

// applyChanges writes members, events and the head. A new member has read what was said before.
func applyChanges(ctx context.Context, tx *sql.Tx, changes []chat.MemberChange, events []chat.Event) error {
	room, last := events[0].LogID, events[len(events)-1]
	grown := 0
	for i := range changes {
		c := &changes[i]
		var err error
		if c.Change == chat.Joined {
			grown++
			_, err = tx.ExecContext(ctx, `INSERT INTO members (room_id, user_id, role, joined_at, read_seq)
				VALUES (?, ?, ?, ?, ?)`, room, c.UserID, chat.RoleMember, last.At.UnixMicro(), last.Seq)
		} else {
			grown--
			_, err = tx.ExecContext(ctx, `DELETE FROM members WHERE room_id = ? AND user_id = ?`, room, c.UserID)
		}
		if err == nil && c.NewOwner != "" {
			_, err = tx.ExecContext(ctx, `UPDATE members SET role = ? WHERE room_id = ? AND user_id = ?`,
				chat.RoleOwner, room, c.NewOwner)
		}
		if err != nil {
			return fmt.Errorf("write members: %w", err)
		}
	}
	if err := insertEvents(ctx, tx, events); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE logs SET head_seq = ?, changed_at = ?, member_count = member_count + ?
		WHERE log_id = ?`, last.Seq, last.At.UnixMicro(), grown, room)
	return err
}

// readOutcome reads the members asked about, and whom the events are to be shown.
func readOutcome(ctx context.Context, tx *sql.Tx, ask chat.MemberAsk, outcome *chat.MemberOutcome) error {
	members, err := namedMembers(ctx, tx, ask.Room, ask.Users)
	if err != nil {
		return err
	}
	for _, user := range ask.Users {
		if member, ok := members[user]; ok {
			outcome.Members = append(outcome.Members, member)
		}
	}
	if len(outcome.Events) == 0 {
		return nil
	}
	rows, err := tx.QueryContext(ctx, `SELECT m.user_id FROM logs l JOIN members m ON m.room_id = l.log_id
		WHERE l.log_id = ? AND l.member_count <= ? ORDER BY m.joined_at, m.user_id`, ask.Room, chat.MaxLive)
	audience, err := collect(rows, err, scanString)
	if len(audience) > 0 {
		outcome.Audience = map[int64][]string{ask.Room: audience}
	}
	return err
}
