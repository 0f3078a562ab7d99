package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

const lockHeads = `SELECT log_id, head_seq FROM logs WHERE log_id = ANY($1) ORDER BY log_id FOR UPDATE`

// readMembers returns everybody in rooms that are copied to their members, and of larger rooms the senders.
const readMembers = `
	SELECT m.room_id, m.user_id, m.role, true FROM logs l JOIN members m ON m.room_id = l.log_id
	WHERE l.log_id = ANY($1) AND l.member_count <= $4
	UNION ALL
	SELECT m.room_id, m.user_id, m.role, false
	FROM unnest($2::bigint[], $3::text[]) q (room_id, user_id)
	JOIN logs l ON l.log_id = q.room_id AND l.member_count > $4
	JOIN members m ON m.room_id = q.room_id AND m.user_id = q.user_id`

const readStored = `
	SELECT e.log_id, e.sender_id, e.client_message_id, e.seq
	FROM unnest($1::bigint[], $2::text[], $3::text[]) q (log_id, sender_id, client_message_id)
	JOIN events e ON e.log_id = q.log_id AND e.sender_id = q.sender_id AND e.client_message_id = q.client_message_id`

const insertEvents = `
	INSERT INTO events (log_id, seq, kind, sender_id, client_message_id, type, title, content, attachment, at)
	SELECT log_id, seq, kind, sender_id, nullif(client_message_id, ''), type, nullif(title, ''), content,
		nullif(attachment, ''), $10
	FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
		$9::text[]) e (log_id, seq, kind, sender_id, client_message_id, type, title, content, attachment)`

const moveHeads = `
	UPDATE logs SET head_seq = g.seq, changed_at = $3 FROM unnest($1::bigint[], $2::bigint[]) g (log_id, seq)
	WHERE logs.log_id = g.log_id`

// Append implements commit.Batcher: two round trips for the whole batch. The first locks the heads in order of their
// ids, so that replicas cannot deadlock, and then reads, by statements that see everything committed before the locks
// were given, who is a member and which client message ids are stored. The second writes and commits.
func (s *Store) Append(ctx context.Context, units [][]chat.Draft) (chat.Appended, error) {
	touched, err := s.touch(ctx, units)
	if err != nil {
		return chat.Appended{}, classify(fmt.Errorf("find inboxes: %w", err))
	}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return chat.Appended{}, classify(fmt.Errorf("get a connection: %w", err))
	}
	defer giveBack(ctx, conn)
	ledger, err := readLedger(ctx, conn, touched)
	if err != nil {
		return chat.Appended{}, classify(fmt.Errorf("read heads: %w", err))
	}
	appended := ledger.Judge(units)
	if len(appended.Events) == 0 {
		return appended, nil
	}
	if err := s.write(ctx, conn, appended, ledger.Grown()); err != nil {
		return chat.Appended{}, err
	}
	return appended, nil
}

// readLedger begins the transaction.
func readLedger(ctx context.Context, conn *pgxpool.Conn, t *touched) (*chat.Ledger, error) {
	type head struct{ id, seq int64 }
	type stored struct {
		id, seq          int64
		sender, clientID string
	}
	type member struct {
		room int64
		user string
		role chat.Role
		live bool
	}
	var now time.Time
	heads := make([]head, 0, len(t.logs))
	var members []member
	var repeats []stored
	batch := &pgx.Batch{}
	batch.Queue(`begin isolation level read committed`)
	batch.Queue(lockHeads, t.logs).Query(func(rows pgx.Rows) error {
		var h head
		_, err := pgx.ForEachRow(rows, []any{&h.id, &h.seq}, func() error { heads = append(heads, h); return nil })
		return err
	})
	batch.Queue(`SELECT clock_timestamp()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	batch.Queue(readMembers, t.logs, t.senderRooms, t.senders, chat.MaxLive).Query(func(rows pgx.Rows) error {
		var m member
		into := []any{&m.room, &m.user, &m.role, &m.live}
		_, err := pgx.ForEachRow(rows, into, func() error { members = append(members, m); return nil })
		return err
	})
	if len(t.clientIDs) > 0 {
		batch.Queue(readStored, t.clientLogs, t.clientSenders, t.clientIDs).Query(func(rows pgx.Rows) error {
			var r stored
			into := []any{&r.id, &r.sender, &r.clientID, &r.seq}
			_, err := pgx.ForEachRow(rows, into, func() error { repeats = append(repeats, r); return nil })
			return err
		})
	}
	if err := send(ctx, conn, batch); err != nil {
		return nil, err
	}
	ledger := chat.NewLedger(now)
	for _, h := range heads {
		ledger.AddHead(t.refs[h.id], h.id, h.seq)
	}
	for _, m := range members {
		ledger.AddMember(m.room, m.user, m.role, m.live)
	}
	for _, r := range repeats {
		ledger.AddStored(r.id, r.sender, r.clientID, r.seq)
	}
	return ledger, nil
}

// write stores the events and commits. When the commit was sent and not answered, the error is *chat.InDoubt.
func (s *Store) write(ctx context.Context, conn *pgxpool.Conn, appended chat.Appended, grown []chat.Grown) error {
	ids, seqs := make([]int64, len(grown)), make([]int64, len(grown))
	for i, g := range grown {
		ids[i], seqs[i] = g.LogID, g.Seq
	}
	batch := &pgx.Batch{}
	queueEvents(batch, appended.Events)
	batch.Queue(moveHeads, ids, seqs, appended.Events[0].At)
	queueGrown(batch, grown)
	batch.Queue(`commit`)
	err := send(ctx, conn, batch)
	switch {
	case err == nil:
		return nil
	case answered(err) || !connectionLost(err):
		return classify(fmt.Errorf("write events: %w", err))
	}
	return &chat.InDoubt{Err: err, Settle: func(ctx context.Context) (chat.Appended, bool, error) {
		return s.settle(ctx, appended)
	}}
}

// settle looks for the first event of the append. It locks the head first, and so waits for a commit that is still
// under way. Whoever took the same place after a rollback read the clock later, under the same lock.
func (s *Store) settle(ctx context.Context, appended chat.Appended) (chat.Appended, bool, error) {
	first := appended.Events[0]
	var there bool
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if _, _, err := lockHead(ctx, tx, first.LogID); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM events WHERE log_id = $1 AND seq = $2 AND at = $3
			AND content = $4 AND type = $5)`, first.LogID, first.Seq, first.At, first.Content, first.Type).Scan(&there)
	})
	if err != nil {
		return chat.Appended{}, false, fmt.Errorf("look for the append: %w", err)
	}
	return appended, there, nil
}

// queueEvents queues the insertion of events that have the same time.
func queueEvents(batch *pgx.Batch, events []chat.Event) {
	n := len(events)
	ids, seqs := make([]int64, n), make([]int64, n)
	texts := make([]string, 7*n)
	column := func(i int) []string { return texts[i*n : (i+1)*n] }
	kinds, senders, clientIDs, types := column(0), column(1), column(2), column(3)
	titles, contents, attachments := column(4), column(5), column(6)
	for i := range events {
		e := &events[i]
		ids[i], seqs[i], kinds[i], senders[i] = e.LogID, e.Seq, string(e.Kind), e.Sender()
		clientIDs[i], types[i], titles[i], contents[i] = e.ClientMessageID, e.Type, e.Title, e.Content
		if e.Kind == chat.KindMember {
			types[i] = string(e.Change)
		}
		attachments[i] = string(e.Attachment)
	}
	batch.Queue(insertEvents, ids, seqs, kinds, senders, clientIDs, types, titles, contents, attachments, events[0].At)
}
