package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// appendToKnown is appendEvents as a transaction of its own: if the logs, which it locks in order of their ids, all end as
// is remembered ($15, $16) and the database's clock is about at $11, it stores everything; otherwise nothing.
const appendToKnown = `
	WITH locked AS MATERIALIZED (
		SELECT log_id, head_seq, changed_at FROM logs WHERE log_id = ANY($12) ORDER BY log_id FOR UPDATE),
	known AS MATERIALIZED (
		SELECT array_agg(head_seq ORDER BY log_id) = $15::bigint[]
			AND array_agg(changed_at ORDER BY log_id) = $16::timestamptz[]
			AND clock_timestamp() BETWEEN $11::timestamptz - interval '1 s' AND $11::timestamptz + interval '1 s' AS holds
		FROM locked),
	moved AS (
		UPDATE logs SET head_seq = g.seq, changed_at = $11 FROM unnest($12::bigint[], $13::bigint[]) g (log_id, seq)
		WHERE logs.log_id = g.log_id AND (SELECT holds FROM known)),
	noted AS (
		INSERT INTO changes (log_ids, head_seqs, users)
		SELECT $12::bigint[], $13::bigint[], $14::text[] WHERE (SELECT holds FROM known))` +
	insertEvents + ` WHERE (SELECT holds FROM known)`

// appendKnown stores a batch of messages to rooms that are remembered, in one round trip; false when it has stored
// nothing, since more has to be read. No check is left out: that of the heads, under their locks, stands for what was
// checked when the rooms were read.
func (s *Store) appendKnown(ctx context.Context, units [][]chat.Draft) (appended chat.Appended, done bool, err error) {
	if s.repeats.watched() {
		return appended, false, nil
	}
	ends, now, ok := s.known.ends(units)
	if !ok {
		return appended, false, nil
	}
	ledger := chat.NewLedger(now)
	for room, end := range ends {
		ledger.AddRoom(room, end.seq, end.standings)
	}
	appended = ledger.Judge(units)
	if slices.ContainsFunc(appended.Outcomes, func(o chat.Outcome) bool { return o.Err != nil }) {
		return appended, false, nil // whoever is refused hears what is so now
	}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return appended, true, classify(fmt.Errorf("get a connection: %w", err))
	}
	defer conn.Release()
	grown := ledger.Grown()
	seqs, times := make([]int64, len(grown)), make([]time.Time, len(grown))
	for i, g := range grown {
		seqs[i], times[i] = ends[g.LogID].seq, ends[g.LogID].at
	}
	tag, err := conn.Exec(ctx, appendToKnown, append(appendColumns(appended.Events, grown), seqs, times)...)
	switch {
	case storedAlready(err):
		s.repeats.met()
		return appended, false, nil
	case err != nil:
		s.known.forget()
		return appended, true, s.committed(err, appended)
	case tag.RowsAffected() == 0:
		s.known.surprised(ends)
		return appended, false, nil
	}
	s.known.confirmed()
	s.known.remember(grown, now)
	return appended, true, nil
}
