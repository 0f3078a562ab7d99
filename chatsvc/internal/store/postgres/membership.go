package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// ChangeMembers implements chat.RoomStore.
func (s *Store) ChangeMembers(ctx context.Context, ask chat.MemberAsk, decide chat.MemberDecision,
) (chat.MemberOutcome, error) {
	var outcome chat.MemberOutcome
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		outcome = chat.MemberOutcome{}
		head, at, err := lockHead(ctx, tx, ask.Room)
		if err != nil {
			return err
		}
		membership, err := readMembership(ctx, tx, ask, at)
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
		if err := readOutcome(ctx, tx, ask, &outcome); err != nil || len(changes) == 0 {
			return err
		}
		return storeEvents(ctx, tx, outcome.Events)
	})
	if len(outcome.Events) > 0 {
		err = settled(ctx, err, func(ctx context.Context) (bool, error) {
			return s.changeIsThere(ctx, outcome.Events[0])
		})
	}
	if err != nil {
		return chat.MemberOutcome{}, err
	}
	return outcome, nil
}

// storeEvents stores events of one log, as the transaction's last statement.
func storeEvents(ctx context.Context, tx pgx.Tx, events []chat.Event) error {
	last := events[len(events)-1]
	batch := &pgx.Batch{}
	queueAppend(batch, events, []chat.Grown{{Log: last.Log, LogID: last.LogID, Seq: last.Seq}})
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	return nil
}

// lockHead locks a room's head. The time is read by a statement of its own, after the lock.
func lockHead(ctx context.Context, tx pgx.Tx, room int64) (head int64, at time.Time, err error) {
	err = tx.QueryRow(ctx, `SELECT head_seq FROM logs WHERE log_id = $1 FOR UPDATE`, room).Scan(&head)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, at, fmt.Errorf("lock the head: %w", err)
	}
	err = tx.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&at)
	return head, at, err
}

func readMembership(ctx context.Context, tx pgx.Tx, ask chat.MemberAsk, at time.Time) (chat.Membership, error) {
	m := chat.Membership{At: at, Users: make(map[string]chat.Member, len(ask.Users))}
	err := tx.QueryRow(ctx, `SELECT r.room_id, r.name, r.listing_id, r.direct, r.created_by, r.created_at, l.member_count,
			coalesce((SELECT o.user_id FROM members o WHERE o.room_id = $1 AND o.user_id <> $2
				ORDER BY o.joined_at, o.user_id LIMIT 1), '')
		FROM rooms r JOIN logs l ON l.log_id = r.room_id WHERE r.room_id = $1`, ask.Room, ask.Users[0]).
		Scan(&m.Room.ID, &m.Room.Name, &m.Room.ListingID, &m.Room.Direct, &m.Room.CreatedBy, &m.Room.CreatedAt,
			&m.Room.MemberCount, &m.Successor)
	if errors.Is(err, pgx.ErrNoRows) {
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("read the room: %w", err)
	}
	members, err := namedMembers(ctx, tx, ask.Room, append([]string{ask.By}, ask.Users...))
	if err != nil {
		return m, err
	}
	m.By = members[ask.By]
	for _, user := range ask.Users {
		if member, ok := members[user]; ok {
			m.Users[user] = member
		}
	}
	m.Former, err = formerMembers(ctx, tx, ask.Room, ask.Users)
	return m, err
}

// formerMembers returns those of the users who were in the room, or are banned from it.
func formerMembers(ctx context.Context, tx pgx.Tx, room int64, users []string) (map[string]chat.Former, error) {
	rows, err := tx.Query(ctx, `SELECT user_id, left_seq, hidden, banned_until FROM former_members
		WHERE room_id = $1 AND user_id = ANY($2)`, room, users)
	if err != nil {
		return nil, fmt.Errorf("read former members: %w", err)
	}
	all := make(map[string]chat.Former)
	var user string
	var f chat.Former
	into := []any{&user, &f.LeftAt, &f.Hidden, scanTime{&f.BannedUntil}}
	if _, err = pgx.ForEachRow(rows, into, func() error { all[user] = f; return nil }); err != nil {
		return nil, fmt.Errorf("read former members: %w", err)
	}
	return all, nil
}

// namedMembers returns those of the users who are in the room.
func namedMembers(ctx context.Context, tx pgx.Tx, room int64, users []string) (map[string]chat.Member, error) {
	rows, err := tx.Query(ctx, `SELECT `+memberColumns+` FROM members WHERE room_id = $1 AND user_id = ANY($2)`,
		room, users)
	if err != nil {
		return nil, fmt.Errorf("read members: %w", err)
	}
	members, err := pgx.CollectRows(rows, scanMember)
	named := make(map[string]chat.Member, len(members))
	for _, member := range members {
		named[member.UserID] = member
	}
	return named, err
}

// applyChanges writes members and how many they are.
func applyChanges(ctx context.Context, tx pgx.Tx, m *chat.Membership, changes []chat.MemberChange, events []chat.Event,
) error {
	batch := &pgx.Batch{}
	grown := 0
	for i := range changes {
		grown += queueChange(batch, m, &changes[i], events[i])
	}
	grown += queueJoined(batch, m, changes, events)
	batch.Queue(`UPDATE logs SET member_count = member_count + $2 WHERE log_id = $1`, events[0].LogID, grown)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("write members: %w", err)
	}
	return nil
}

const keepFormer = `
	INSERT INTO former_members (room_id, user_id, left_seq, hidden, banned_until) VALUES ($1, $2, $3, $4, $5)
	ON CONFLICT (room_id, user_id) DO UPDATE SET left_seq = $3, hidden = $4, banned_until = $5`

// queueChange queues a change that brings nobody in, and returns by how many members it is.
func queueChange(batch *pgx.Batch, m *chat.Membership, c *chat.MemberChange, e chat.Event) (grown int) {
	room := e.LogID
	member, former := m.Users[c.UserID], m.Former[c.UserID]
	if c.Change.Ends() && member.Role > 0 {
		grown, former = -1, member.Leave(e.Seq)
		batch.Queue(`DELETE FROM members WHERE room_id = $1 AND user_id = $2`, room, c.UserID)
	}
	var until *time.Time // NULL
	if !c.Until.IsZero() {
		until = &c.Until
	}
	switch c.Change {
	case chat.Left, chat.Removed, chat.Banned, chat.Unbanned:
		batch.Queue(keepFormer, room, c.UserID, former.LeftAt, former.Hidden.String(), until)
	case chat.Muted, chat.Unmuted:
		batch.Queue(`UPDATE members SET muted_until = $3 WHERE room_id = $1 AND user_id = $2`, room, c.UserID, until)
	}
	if c.NewOwner != "" {
		batch.Queue(`UPDATE members SET role = $3 WHERE room_id = $1 AND user_id = $2`,
			room, c.NewOwner, int16(chat.RoleOwner))
	}
	return grown
}

// queueJoined queues the new members, and returns how many they are. A new member has read what was said before.
func queueJoined(batch *pgx.Batch, m *chat.Membership, changes []chat.MemberChange, events []chat.Event) int {
	var joined, hidden []string
	for i := range changes {
		if user := changes[i].UserID; changes[i].Change == chat.Joined {
			joined = append(joined, user)
			hidden = append(hidden, m.Former[user].Rejoin(events[i].Seq).String())
		}
	}
	if len(joined) == 0 {
		return 0
	}
	room, last := events[0].LogID, events[len(events)-1]
	batch.Queue(`INSERT INTO members (room_id, user_id, role, joined_at, read_seq, hidden)
		SELECT $1, j.user_id, $4, $5, $6, j.hidden FROM unnest($2::text[], $3::text[]) j (user_id, hidden)`,
		room, joined, hidden, int16(chat.RoleMember), last.At, last.Seq)
	batch.Queue(`DELETE FROM former_members WHERE room_id = $1 AND user_id = ANY($2)`, room, joined)
	return len(joined)
}

// readOutcome reads the members asked about, and whom the events are to be shown.
func readOutcome(ctx context.Context, tx pgx.Tx, ask chat.MemberAsk, outcome *chat.MemberOutcome) error {
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
	rows, err := tx.Query(ctx, `SELECT m.user_id FROM logs l JOIN members m ON m.room_id = l.log_id
		WHERE l.log_id = $1 AND l.member_count <= $2 ORDER BY m.joined_at, m.user_id`, ask.Room, chat.MaxLive)
	if err != nil {
		return fmt.Errorf("read the audience: %w", err)
	}
	audience, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if len(audience) > 0 {
		outcome.Audience = map[int64][]string{ask.Room: audience}
	}
	return err
}
