package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// touched is what a batch has to do with: logs, senders, client message ids and targets, as the arrays that queries
// take.
type touched struct {
	logs          []int64 // sorted, each once
	refs          map[int64]chat.LogRef
	senderRooms   []int64
	senders       []string
	clientLogs    []int64
	clientSenders []string
	clientIDs     []string
	targetLogs    []int64
	targetSeqs    []int64
}

func (s *Store) touch(ctx context.Context, units [][]chat.Draft) (*touched, error) {
	inboxes, err := s.inboxesOf(ctx, units)
	if err != nil {
		return nil, err
	}
	t := &touched{refs: make(map[int64]chat.LogRef)}
	for _, unit := range units {
		for i := range unit {
			t.add(&unit[i], inboxes)
		}
	}
	for id := range t.refs {
		t.logs = append(t.logs, id)
	}
	slices.Sort(t.logs)
	return t, nil
}

func (t *touched) add(d *chat.Draft, inboxes map[string]int64) {
	id := d.Room
	if d.Inbox != "" {
		id = inboxes[d.Inbox]
		t.refs[id] = d.Log()
	} else {
		t.senderRooms, t.senders = append(t.senderRooms, d.Room), append(t.senders, d.SenderID)
		if _, inbox := t.refs[id]; !inbox { // a client may name any number, also that of an inbox
			t.refs[id] = d.Log()
		}
	}
	if d.ClientMessageID != "" {
		t.clientLogs = append(t.clientLogs, id)
		t.clientSenders = append(t.clientSenders, d.SenderID)
		t.clientIDs = append(t.clientIDs, d.ClientMessageID)
	}
	if d.Target > 0 {
		t.targetLogs, t.targetSeqs = append(t.targetLogs, id), append(t.targetSeqs, d.Target)
	}
}

// inboxesOf returns the log ids of the inboxes that the units want into, and makes those that do not exist yet: in a
// transaction of their own, since an empty log that stays behind does no harm. Users are inserted in order, so that
// replicas cannot deadlock.
func (s *Store) inboxesOf(ctx context.Context, units [][]chat.Draft) (map[string]int64, error) {
	var users []string
	for _, unit := range units {
		for i := range unit {
			if unit[i].Inbox != "" {
				users = append(users, unit[i].Inbox)
			}
		}
	}
	if len(users) == 0 {
		return nil, nil
	}
	slices.Sort(users)
	users = slices.Compact(users)
	ids, err := s.knownInboxes(ctx, users)
	if err != nil || len(ids) == len(users) {
		return ids, err
	}
	_, err = s.pool.Exec(ctx, `WITH made AS (
			INSERT INTO inboxes (user_id, log_id) SELECT u, nextval('log_ids') FROM unnest($1::text[]) u
			ON CONFLICT DO NOTHING RETURNING log_id)
		INSERT INTO logs (log_id, changed_at) SELECT log_id, clock_timestamp() FROM made`, users)
	if err != nil {
		return nil, err
	}
	return s.knownInboxes(ctx, users)
}

func (s *Store) knownInboxes(ctx context.Context, users []string) (map[string]int64, error) {
	rows, err := s.pool.Query(ctx, `SELECT user_id, log_id FROM inboxes WHERE user_id = ANY($1)`, users)
	if err != nil {
		return nil, err
	}
	ids := make(map[string]int64, len(users))
	var user string
	var id int64
	_, err = pgx.ForEachRow(rows, []any{&user, &id}, func() error { ids[user] = id; return nil })
	return ids, err
}
