package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// memberColumns are those of a Member. What is read is delivered.
const memberColumns = `user_id, role, joined_at, read_seq, greatest(read_seq, delivered_seq)`

func scanMember(row pgx.CollectableRow) (chat.Member, error) {
	var m chat.Member
	err := row.Scan(&m.UserID, &m.Role, &m.JoinedAt, &m.LastRead, &m.LastDelivered)
	return m, err
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
		membership, err := readMembership(ctx, tx, ask)
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
			if err := applyChanges(ctx, tx, changes, outcome.Events); err != nil {
				return err
			}
		}
		if err := readOutcome(ctx, tx, ask, &outcome); err != nil || len(changes) == 0 {
			return err
		}
		return noteGrown(ctx, tx, outcome.Events[len(changes)-1])
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

// noteGrown tells, as the transaction's last statement, that its log ends with this event.
func noteGrown(ctx context.Context, tx pgx.Tx, last chat.Event) error {
	batch := &pgx.Batch{}
	queueGrown(batch, []chat.Grown{{Log: last.Log, LogID: last.LogID, Seq: last.Seq}})
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("note the change: %w", err)
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

func readMembership(ctx context.Context, tx pgx.Tx, ask chat.MemberAsk) (chat.Membership, error) {
	m := chat.Membership{Users: make(map[string]chat.Member, len(ask.Users))}
	err := tx.QueryRow(ctx, `SELECT r.room_id, r.name, r.listing_id, r.direct, r.created_by, r.created_at, l.member_count,
			coalesce((SELECT o.user_id FROM members o WHERE o.room_id = $1 AND o.user_id <> $2
				ORDER BY o.joined_at, o.user_id LIMIT 1), '')
		FROM rooms r JOIN logs l ON l.log_id = r.room_id WHERE r.room_id = $1`, ask.Room, ask.By).
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
	return m, nil
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

// applyChanges writes members, events and the head. A new member has read what was said before.
func applyChanges(ctx context.Context, tx pgx.Tx, changes []chat.MemberChange, events []chat.Event) error {
	room, last := events[0].LogID, events[len(events)-1]
	var joined, gone []string
	batch := &pgx.Batch{}
	for i := range changes {
		if changes[i].Change == chat.Joined {
			joined = append(joined, changes[i].UserID)
		} else {
			gone = append(gone, changes[i].UserID)
		}
	}
	batch.Queue(`INSERT INTO members (room_id, user_id, role, joined_at, read_seq)
		SELECT $1, u, $3, $4, $5 FROM unnest($2::text[]) u`, room, joined, int16(chat.RoleMember), last.At, last.Seq)
	batch.Queue(`DELETE FROM members WHERE room_id = $1 AND user_id = ANY($2)`, room, gone)
	for i := range changes {
		if owner := changes[i].NewOwner; owner != "" {
			batch.Queue(`UPDATE members SET role = $3 WHERE room_id = $1 AND user_id = $2`,
				room, owner, int16(chat.RoleOwner))
		}
	}
	queueEvents(batch, events)
	batch.Queue(`UPDATE logs SET head_seq = $2, changed_at = $3, member_count = member_count + $4 WHERE log_id = $1`,
		room, last.Seq, last.At, len(joined)-len(gone))
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("write members: %w", err)
	}
	return nil
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
