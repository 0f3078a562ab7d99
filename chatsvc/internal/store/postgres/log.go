package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// insertEvents stores events that have the same time.
const insertEvents = `
	INSERT INTO events (log_id, seq, kind, sender_id, client_message_id, type, title, content, attachment, target_seq, at)
	SELECT log_id, seq, kind, sender_id, nullif(client_message_id, ''), type, nullif(title, ''), content,
		nullif(attachment, ''), nullif(target_seq, 0), $11
	FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
		$9::text[], $10::bigint[])
		e (log_id, seq, kind, sender_id, client_message_id, type, title, content, attachment, target_seq)`

// appendEvents stores events that have the same time, moves the heads of their logs and tells of that, by one statement:
// one that finds little to do costs more to begin and to end than to carry out. What tells of it has the time of its
// insertion, so that this statement should come late in its transaction.
const appendEvents = `
	WITH moved AS (
		UPDATE logs SET head_seq = g.seq, changed_at = $11 FROM unnest($12::bigint[], $13::bigint[]) g (log_id, seq)
		WHERE logs.log_id = g.log_id),
	noted AS (INSERT INTO changes (log_ids, head_seqs, users) VALUES ($12, $13, $14))` + insertEvents

// Append implements commit.Batcher: two round trips for the whole batch. The first locks the heads in order of their
// ids, so that replicas cannot deadlock, and then reads, by statements that see everything committed before the locks
// were given, who is a member. The second writes and commits.
//
// Repeats are rare, and looking every client message id up costs as much as a third of storing it: while none were met
// lately, the unique index finds them. Then nothing is stored, and the batch is done again with the look-up.
//
// Messages to rooms that were written to a moment ago take one round trip, which does all of it: see appendKnown.
func (s *Store) Append(ctx context.Context, units [][]chat.Draft) (chat.Appended, error) {
	appended, done, err := s.appendKnown(ctx, units)
	if done {
		return appended, err
	}
	touched, err := s.touch(ctx, units)
	if err != nil {
		return chat.Appended{}, classify(fmt.Errorf("find inboxes: %w", err))
	}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return chat.Appended{}, classify(fmt.Errorf("get a connection: %w", err))
	}
	defer giveBack(ctx, conn)
	lookUp := s.repeats.expected()
	appended, err = s.appendOn(ctx, conn, touched, units, lookUp)
	if lookUp || !storedAlready(err) {
		return appended, err
	}
	s.repeats.met()
	if _, err := conn.Exec(ctx, `rollback`); err != nil {
		return chat.Appended{}, classify(fmt.Errorf("begin again with the repeats looked up: %w", err))
	}
	return s.appendOn(ctx, conn, touched, units, true)
}

// appendOn runs the transaction on a connection. It may leave one open that is to be rolled back.
func (s *Store) appendOn(ctx context.Context, conn *pgxpool.Conn, t *touched, units [][]chat.Draft, lookUp bool,
) (chat.Appended, error) {
	found, err := readFindings(ctx, conn, t, lookUp)
	if err != nil {
		return chat.Appended{}, classify(fmt.Errorf("read heads: %w", err))
	}
	if len(found.heads) > 0 {
		s.known.readClock(found.now)
	}
	ledger := found.ledger(t)
	appended := ledger.Judge(units)
	if !found.lookedUp && mayBeRepeats(appended, units) {
		if err := found.lookUp(ctx, conn, t); err != nil {
			return chat.Appended{}, classify(fmt.Errorf("look repeats up: %w", err))
		}
		ledger = found.ledger(t)
		appended = ledger.Judge(units)
	}
	if len(found.repeats) > 0 {
		s.repeats.met()
	}
	if len(appended.Events) == 0 {
		return appended, nil
	}
	grown := ledger.Grown()
	if err := s.write(ctx, conn, appended, grown, ledger.Revised()); err != nil {
		return chat.Appended{}, err
	}
	s.known.remember(grown, found.now)
	return appended, nil
}

// write stores the events and commits.
func (s *Store) write(ctx context.Context, conn *pgxpool.Conn, appended chat.Appended, grown []chat.Grown,
	revised []chat.Revision,
) error {
	batch := &pgx.Batch{}
	queueAppend(batch, appended.Events, grown)
	queueRevisions(batch, revised, appended.Events[0].At)
	batch.Queue(`commit`)
	return s.committed(send(ctx, conn, batch), appended)
}

// committed says what the error of a round trip that ends with the commit means: when that was sent and not answered, it
// is *chat.InDoubt.
func (s *Store) committed(err error, appended chat.Appended) error {
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
// under way. Whoever took the same place after a rollback read the clock later, under the same lock. (Its content may
// have been edited since.)
func (s *Store) settle(ctx context.Context, appended chat.Appended) (chat.Appended, bool, error) {
	first := appended.Events[0]
	var there bool
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if _, _, err := lockHead(ctx, tx, first.LogID); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM events WHERE log_id = $1 AND seq = $2 AND at = $3
			AND kind = $4 AND sender_id = $5)`, first.LogID, first.Seq, first.At, string(first.Kind), first.Sender()).
			Scan(&there)
	})
	if err != nil {
		return chat.Appended{}, false, fmt.Errorf("look for the append: %w", err)
	}
	return appended, there, nil
}

// queueAppend queues appendEvents: events that have the same time, and the new heads of their logs.
func queueAppend(batch *pgx.Batch, events []chat.Event, grown []chat.Grown) {
	batch.Queue(appendEvents, appendColumns(events, grown)...)
}

// appendColumns are the parameters of appendEvents.
func appendColumns(events []chat.Event, grown []chat.Grown) []any {
	ids, seqs, users := headColumns(grown)
	return append(eventColumns(events), ids, seqs, users)
}

// eventColumns are the parameters of insertEvents.
func eventColumns(events []chat.Event) []any {
	n := len(events)
	ids, seqs, targets := make([]int64, n), make([]int64, n), make([]int64, n)
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
		attachments[i], targets[i] = string(e.Attachment), e.Target
	}
	return []any{
		ids, seqs, kinds, senders, clientIDs, types, titles, contents, attachments, targets, events[0].At,
	}
}
