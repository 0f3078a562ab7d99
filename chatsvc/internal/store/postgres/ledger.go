package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// lockHeads locks the heads, and reads the clock when it has each of them: the last row's time is that of a moment when
// all were locked.
const lockHeads = `
	WITH locked AS MATERIALIZED (SELECT log_id, head_seq FROM logs WHERE log_id = ANY($1) ORDER BY log_id FOR UPDATE)
	SELECT log_id, head_seq, clock_timestamp() FROM locked`

// readMembers returns everybody in rooms that are copied to their members, and of larger rooms the senders: these one by
// one (LATERAL, LIMIT), since in a join with logs the planner takes the room's id from there, and reads the whole room.
const readMembers = `
	SELECT m.room_id, m.user_id, m.role, m.muted_until, true FROM logs l JOIN members m ON m.room_id = l.log_id
	WHERE l.log_id = ANY($1) AND l.member_count <= $4
	UNION ALL
	SELECT q.room_id, q.user_id, m.role, m.muted_until, false
	FROM unnest($2::bigint[], $3::text[]) q (room_id, user_id)
	CROSS JOIN LATERAL (
		SELECT role, muted_until FROM members WHERE room_id = q.room_id AND user_id = q.user_id LIMIT 1) m
	WHERE (SELECT member_count FROM logs WHERE log_id = q.room_id) > $4`

const readStored = `
	SELECT e.log_id, e.sender_id, e.client_message_id, e.seq
	FROM unnest($1::bigint[], $2::text[], $3::text[]) q (log_id, sender_id, client_message_id)
	JOIN events e ON e.log_id = q.log_id AND e.sender_id = q.sender_id AND e.client_message_id = q.client_message_id`

// readTargets returns what edits and recalls are about.
const readTargets = `
	SELECT e.log_id, e.seq, e.kind, e.sender_id, e.type, e.content, e.at, coalesce(e.edited_by, 0),
		coalesce(e.recalled_by, 0)
	FROM unnest($1::bigint[], $2::bigint[]) q (log_id, seq) JOIN events e ON e.log_id = q.log_id AND e.seq = q.seq`

// readFindings begins the transaction and reads what decides about a batch, in one round trip: with lookUp also which
// of its client message ids are stored.
func readFindings(ctx context.Context, conn *pgxpool.Conn, t *touched, lookUp bool) (*findings, error) {
	found := new(findings)
	batch := &pgx.Batch{}
	batch.Queue(`begin isolation level read committed`)
	batch.Queue(lockHeads, t.logs).Query(found.readHeads)
	batch.Queue(readMembers, t.logs, t.senderRooms, t.senders, chat.MaxLive).Query(found.readMembers)
	if lookUp && len(t.clientIDs) > 0 {
		found.queueLookUp(batch, t)
	}
	if len(t.targetSeqs) > 0 {
		batch.Queue(readTargets, t.targetLogs, t.targetSeqs).Query(found.readTargets)
	}
	return found, send(ctx, conn, batch)
}

// lookUp reads which client message ids are stored, for findings that were read without.
func (f *findings) lookUp(ctx context.Context, conn *pgxpool.Conn, t *touched) error {
	batch := &pgx.Batch{}
	f.queueLookUp(batch, t)
	return send(ctx, conn, batch)
}

func (f *findings) queueLookUp(batch *pgx.Batch, t *touched) {
	batch.Queue(readStored, t.clientLogs, t.clientSenders, t.clientIDs).Query(f.readRepeats)
	f.lookedUp = true
}

// ledger enters what was found.
func (f *findings) ledger(t *touched) *chat.Ledger {
	ledger := chat.NewLedger(f.now)
	for _, h := range f.heads {
		ledger.AddHead(t.refs[h.logID], h.logID, h.seq)
	}
	for _, m := range f.members {
		ledger.AddMember(m.room, m.user, m.standing, m.live)
	}
	for _, r := range f.repeats {
		ledger.AddStored(r.logID, r.sender, r.clientID, r.seq)
	}
	for _, target := range f.targets {
		ledger.AddTarget(target.logID, target.seq, target.Target)
	}
	return ledger
}

// findings are the rows of a round trip: they are entered once the time is known.
type findings struct {
	now      time.Time // of the database, after the heads were locked
	heads    []head
	members  []member
	repeats  []repeat
	targets  []target
	lookedUp bool // repeats are those that there are
}

type head struct{ logID, seq int64 }

type member struct {
	room     int64
	user     string
	standing chat.Standing
	live     bool
}

type repeat struct {
	logID, seq       int64
	sender, clientID string
}

type target struct {
	logID, seq int64
	chat.Target
}

func (f *findings) readHeads(rows pgx.Rows) error {
	var h head
	_, err := pgx.ForEachRow(rows, []any{&h.logID, &h.seq, &f.now}, func() error { f.heads = append(f.heads, h); return nil })
	return err
}

func (f *findings) readMembers(rows pgx.Rows) error {
	var m member
	into := []any{&m.room, &m.user, &m.standing.Role, scanTime{&m.standing.MutedUntil}, &m.live}
	_, err := pgx.ForEachRow(rows, into, func() error { f.members = append(f.members, m); return nil })
	return err
}

func (f *findings) readRepeats(rows pgx.Rows) error {
	var r repeat
	into := []any{&r.logID, &r.sender, &r.clientID, &r.seq}
	_, err := pgx.ForEachRow(rows, into, func() error { f.repeats = append(f.repeats, r); return nil })
	return err
}

func (f *findings) readTargets(rows pgx.Rows) error {
	var t target
	into := []any{&t.logID, &t.seq, &t.Kind, &t.SenderID, &t.Type, &t.Content, &t.At, &t.EditedBy, &t.RecalledBy}
	_, err := pgx.ForEachRow(rows, into, func() error { f.targets = append(f.targets, t); return nil })
	return err
}
