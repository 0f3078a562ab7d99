package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// ChangeMembers implements chat.RoomStore.
func (s *Store) ChangeMembers(ctx context.Context, ask chat.MemberAsk, decide chat.MemberDecision,
) (chat.MemberOutcome, error) {
	var outcome chat.MemberOutcome
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		at := now()
		head, membership, err := readMembership(ctx, tx, ask, at)
		if err != nil {
			return err
		}
		changes, err := decide(membership)
		if err != nil {
			return err
		}
		for i := range changes {
			outcome.Events = append(outcome.Events, changes[i].Event(ask.Room, head+int64(i)+1, at))
		}
		if len(changes) > 0 {
			if err := applyChanges(ctx, tx, &membership, changes, outcome.Events); err != nil {
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

func readMembership(ctx context.Context, tx *sql.Tx, ask chat.MemberAsk, at time.Time,
) (int64, chat.Membership, error) {
	m := chat.Membership{At: at, Users: make(map[string]chat.Member, len(ask.Users))}
	var head int64
	err := tx.QueryRowContext(ctx, `SELECT l.head_seq, r.room_id, r.name, r.listing_id, r.direct, r.created_by,
			r.created_at, l.member_count,
			coalesce((SELECT o.user_id FROM members o WHERE o.room_id = ?1 AND o.user_id <> ?2
				ORDER BY o.joined_at, o.user_id LIMIT 1), '')
		FROM rooms r JOIN logs l ON l.log_id = r.room_id WHERE r.room_id = ?1`, ask.Room, ask.Users[0]).
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
	m.Former, err = formerMembers(ctx, tx, ask.Room, ask.Users)
	return head, m, err
}

// formerMembers returns those of the users who were in the room, or are banned from it.
func formerMembers(ctx context.Context, tx *sql.Tx, room int64, users []string) (map[string]chat.Former, error) {
	all := make(map[string]chat.Former)
	rows, err := tx.QueryContext(ctx, `SELECT user_id, left_seq, hidden, banned_until FROM former_members
		WHERE room_id = ? AND user_id IN (SELECT value FROM json_each(?))`, room, list(users))
	_, err = collect(rows, err, func(scan func(...any) error) (string, error) {
		var user string
		var f chat.Former
		err := scan(&user, &f.LeftAt, &f.Hidden, scanTime{&f.BannedUntil})
		all[user] = f
		return user, err
	})
	if err != nil {
		return nil, fmt.Errorf("read former members: %w", err)
	}
	return all, nil
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

// applyChanges writes members, events and the head.
func applyChanges(ctx context.Context, tx *sql.Tx, m *chat.Membership, changes []chat.MemberChange, events []chat.Event,
) error {
	room, last := events[0].LogID, events[len(events)-1]
	grown := 0
	for i := range changes {
		by, err := applyChange(ctx, tx, m, &changes[i], events[i], last)
		if err != nil {
			return fmt.Errorf("write members: %w", err)
		}
		grown += by
	}
	if err := insertEvents(ctx, tx, events); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE logs SET head_seq = ?, changed_at = ?, member_count = member_count + ?
		WHERE log_id = ?`, last.Seq, last.At.UnixMicro(), grown, room)
	return err
}

const keepFormer = `
	INSERT INTO former_members (room_id, user_id, left_seq, hidden, banned_until) VALUES (?1, ?2, ?3, ?4, ?5)
	ON CONFLICT (room_id, user_id) DO UPDATE SET left_seq = ?3, hidden = ?4, banned_until = ?5`

// applyChange writes one change, and returns by how many members it is. A new member has read what was said before, up to
// the last event.
func applyChange(ctx context.Context, tx *sql.Tx, m *chat.Membership, c *chat.MemberChange, e, last chat.Event,
) (grown int, err error) {
	exec := func(query string, args ...any) {
		if err == nil {
			_, err = tx.ExecContext(ctx, query, args...)
		}
	}
	room := e.LogID
	member, former := m.Users[c.UserID], m.Former[c.UserID]
	if c.Change.Ends() && member.Role > 0 {
		grown, former = -1, member.Leave(e.Seq)
		exec(`DELETE FROM members WHERE room_id = ? AND user_id = ?`, room, c.UserID)
	}
	var until *int64 // NULL
	if !c.Until.IsZero() {
		micros := c.Until.UnixMicro()
		until = &micros
	}
	switch c.Change {
	case chat.Joined:
		grown = 1
		exec(`INSERT INTO members (room_id, user_id, role, joined_at, read_seq, hidden) VALUES (?, ?, ?, ?, ?, ?)`,
			room, c.UserID, chat.RoleMember, last.At.UnixMicro(), last.Seq, former.Rejoin(e.Seq).String())
		exec(`DELETE FROM former_members WHERE room_id = ? AND user_id = ?`, room, c.UserID)
	case chat.Left, chat.Removed, chat.Banned, chat.Unbanned:
		exec(keepFormer, room, c.UserID, former.LeftAt, former.Hidden.String(), until)
	case chat.Muted, chat.Unmuted:
		exec(`UPDATE members SET muted_until = ?3 WHERE room_id = ?1 AND user_id = ?2`, room, c.UserID, until)
	}
	if c.NewOwner != "" {
		exec(`UPDATE members SET role = ? WHERE room_id = ? AND user_id = ?`, chat.RoleOwner, room, c.NewOwner)
	}
	return grown, err
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
